// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// resetTimeout is how long the etcd of a reset may take until it answers; it has nobody to wait for.
const resetTimeout = time.Minute

// soloEtcd is an etcd of one member that listens on this machine alone, without certificates: they come out of its data.
type soloEtcd struct {
	server *embed.Etcd
	client *clientv3.Client
}

// resetCluster makes a cluster of this server alone, from its own data or from a snapshot, and leaves it stopped.
func (s *server) resetCluster(ctx context.Context) (err error) {
	if s.node, err = identifyNode(s.cfg); err != nil {
		return err
	}
	if err := s.mayReset(); err != nil {
		return err
	}
	if err := s.makeDirectories(); err != nil {
		return err
	}
	if err := s.chooseToken(); err != nil {
		return err
	}
	if err := s.restoreSnapshot(); err != nil {
		return err
	}
	name, err := s.etcdName()
	if err != nil {
		return err
	}
	if err := s.readSecretsFromData(ctx, name); err != nil {
		return fmt.Errorf("preparing server: failed to bootstrap cluster data: %w", err)
	}
	if err := writeFile(s.path("db/reset-flag"), nil, 0o600); err != nil {
		return err
	}
	logInfo("Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. " +
		"Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes")
	return nil
}

// mayReset refuses before anything is changed.
func (s *server) mayReset() error {
	path := s.cfg.ClusterResetRestorePath
	if path == "" {
		if _, err := os.Stat(s.path("db/reset-flag")); err == nil {
			return fmt.Errorf("Managed etcd cluster membership was previously reset, please remove the cluster-reset flag and start k3s normally. "+
				"If you need to perform another cluster reset, you must first manually delete the file at %s", s.path("db/reset-flag"))
		}
		if !s.hasEtcdData() {
			return errors.New("cluster-reset needs the data of an embedded etcd, and there is none here")
		}
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("etcd: snapshot path does not exist: %s", path)
	case info.IsDir():
		return fmt.Errorf("etcd: snapshot path must be a file, not a directory: %s", path)
	}
	if _, err := os.Stat(s.path("token")); err != nil && s.cfg.Token == "" {
		return fmt.Errorf("%s does not exist, please pass --token to complete the restoration", s.path("token"))
	}
	return nil
}

// restoreSnapshot puts the snapshot's content in the place of this server's data, which is kept aside.
func (s *server) restoreSnapshot() error {
	if s.cfg.ClusterResetRestorePath == "" {
		return nil
	}
	if err := s.setAside(); err != nil {
		return err
	}
	name := s.node.name + "-" + randomHex(4)
	err := snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: s.cfg.ClusterResetRestorePath, Name: name, OutputDataDir: s.path("db/etcd"),
		PeerURLs: []string{s.peerURL()}, InitialCluster: name + "=" + s.peerURL(), InitialClusterToken: "etcd-cluster",
	})
	if err != nil {
		return fmt.Errorf("etcd: restoring %s: %w", s.cfg.ClusterResetRestorePath, err)
	}
	return writeFile(s.path("db/etcd/name"), []byte(name), 0o600)
}

func (s *server) setAside() error {
	now := time.Now().Unix()
	if _, err := os.Stat(s.path("db/etcd")); err == nil {
		old := s.path(fmt.Sprintf("db/etcd-old-%d", now))
		if err := os.Rename(s.path("db/etcd"), old); err != nil {
			return err
		}
		logInfo("Pre-restore etcd database moved to %s", old)
	}
	old := s.path(fmt.Sprintf("tls-%d", now))
	logInfo("Cluster reset: backing up certificates directory to %s", old)
	if err := os.Rename(s.path("tls"), old); err != nil {
		return err
	}
	return s.makeDirectories()
}

// readSecretsFromData starts the member alone, and writes what its data have of certificates and keys, if the token opens them.
func (s *server) readSecretsFromData(ctx context.Context, name string) error {
	solo, err := startSoloEtcd(s.path("db/etcd"), name, "http://127.0.0.1:2399", "http://127.0.0.1:2400")
	if err != nil {
		return err
	}
	defer solo.stop()
	ctx, cancel := context.WithTimeout(ctx, resetTimeout)
	defer cancel()
	if err := solo.setPeerURL(ctx, s.peerURL()); err != nil {
		return err
	}
	files, err := loadBundle(ctx, solo.client, s.password)
	if err != nil {
		return err
	}
	if files == nil {
		return errors.New("the data hold no cluster")
	}
	return files.write(s.dir)
}

func startSoloEtcd(dir, name, clientURL, peerURL string) (*soloEtcd, error) {
	client, err := url.Parse(clientURL)
	if err != nil {
		return nil, err
	}
	peer, err := url.Parse(peerURL)
	if err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Name, config.Dir, config.ForceNewCluster = name, dir, true
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	config.InitialCluster, config.ClusterState = name+"="+peerURL, embed.ClusterStateFlagExisting
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	running, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	select {
	case <-running.Server.ReadyNotify():
	case <-time.After(resetTimeout):
		running.Close()
		return nil, errors.New("etcd: no answer from the data of this server")
	}
	access, err := datastore{endpoint: clientURL}.client()
	if err != nil {
		running.Close()
		return nil, err
	}
	return &soloEtcd{running, access}, nil
}

func (e *soloEtcd) stop() {
	e.client.Close()
	e.server.Close()
}

// setPeerURL gives the one member the address that this machine has now.
func (e *soloEtcd) setPeerURL(ctx context.Context, peerURL string) error {
	_, err := e.client.MemberUpdate(ctx, uint64(e.server.Server.MemberID()), []string{peerURL})
	return err
}

// finishReset lets this node register anew after a reset: the data remember the password of its former life.
func (s *server) finishReset(ctx context.Context) error {
	flag := filepath.Join(s.dir, "db", "reset-flag")
	if _, err := os.Stat(flag); err != nil {
		return nil
	}
	err := s.kube.CoreV1().Secrets("kube-system").Delete(ctx, s.node.name+nodePasswordSuffix, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return os.Remove(flag)
}
