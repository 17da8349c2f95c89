// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"sigs.k8s.io/yaml"
)

// etcdMember is the etcd inside this process, with a client of its own.
type etcdMember struct {
	name    string
	server  *embed.Etcd
	client  *clientv3.Client
	others  atomic.Value // []string, client addresses of the other members as last seen
	stopped atomic.Bool
}

func (s *server) hasEtcdData() bool {
	_, err := os.Stat(s.path("db/etcd/member/wal"))
	return err == nil
}

// obeyTombstone clears the way for joining anew, if this member was removed from its cluster.
func (s *server) obeyTombstone() error {
	if _, err := os.Stat(s.path("db/etcd/tombstone")); err != nil {
		return nil
	}
	logInfo("tombstone file has been detected, removing data dir to rejoin the cluster")
	return os.Rename(s.path("db/etcd"), s.path(fmt.Sprintf("db/etcd-backup-%d", time.Now().Unix())))
}

// initEtcd starts a new cluster of one.
func (s *server) initEtcd(ctx context.Context) error {
	files, err := s.ownBundle()
	if err != nil {
		return err
	}
	if err := files.write(s.dir); err != nil {
		return err
	}
	logInfo("Starting etcd for new cluster, cluster-reset=false")
	name, err := s.etcdName()
	if err != nil {
		return err
	}
	if err := s.startEtcd(ctx, name, name+"="+s.peerURL(), "new"); err != nil {
		return err
	}
	if err := s.migrateFromSQLite(ctx); err != nil {
		return err
	}
	return s.bootstrapFromStore(ctx)
}

// resumeEtcd starts the member whose data lies here.
func (s *server) resumeEtcd(ctx context.Context) error {
	logInfo("Managed etcd cluster bootstrap already complete and initialized")
	if _, err := readBundle(s.dir); err != nil {
		return fmt.Errorf("etcd data is there but the cluster's certificates are not: %w", err)
	}
	name, err := s.etcdName()
	if err != nil {
		return err
	}
	logInfo("Starting etcd for existing cluster member")
	if err := s.startEtcd(ctx, name, "", "existing"); err != nil {
		return err
	}
	return s.bootstrapFromStore(ctx)
}

func (s *server) etcdName() (string, error) {
	if err := os.MkdirAll(s.path("db/etcd"), 0o700); err != nil {
		return "", err
	}
	path := s.path("db/etcd/name")
	if text, err := os.ReadFile(path); err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	name := s.node.name + "-" + randomHex(4)
	return name, writeFile(path, []byte(name), 0o600)
}

func (s *server) peerURL() string { return "https://" + net.JoinHostPort(s.node.ip, "2380") }

func (s *server) localEtcd() datastore {
	return datastore{
		"https://127.0.0.1:2379", s.path("tls/etcd/server-ca.crt"), s.path("tls/etcd/client.crt"), s.path("tls/etcd/client.key"),
	}
}

func (s *server) issueEtcdCertificates() error {
	names := []string{"localhost", s.node.name, "127.0.0.1", "::1", s.node.ip}
	for _, item := range []struct {
		ca, path string
		want     leaf
	}{
		{"server-ca", "client", leaf{name: "etcd-client"}},
		{"server-ca", "server-client", leaf{name: "etcd-server", names: names, peer: true}},
		{"peer-ca", "peer-server-client", leaf{name: "etcd-peer", names: names, peer: true}},
	} {
		ca, err := loadAuthority(s.path("tls/etcd/" + item.ca))
		if err != nil {
			return err
		}
		if err := ca.ensure(s.path("tls/etcd/"+item.path), item.want); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) etcdConfigFile(name, initial, state string) (string, error) {
	security := func(ca, path string) map[string]any {
		return map[string]any{
			"cert-file": s.path("tls/etcd/" + path + ".crt"), "key-file": s.path("tls/etcd/" + path + ".key"),
			"trusted-ca-file": s.path("tls/etcd/" + ca + ".crt"), "client-cert-auth": true,
		}
	}
	clientURL := "https://" + net.JoinHostPort(s.node.ip, "2379")
	text, err := yaml.Marshal(map[string]any{
		"name": name, "data-dir": s.path("db/etcd"), "initial-cluster": initial, "initial-cluster-state": state,
		"listen-client-urls": "https://127.0.0.1:2379," + clientURL, "advertise-client-urls": clientURL,
		"listen-peer-urls": "https://127.0.0.1:2380," + s.peerURL(), "initial-advertise-peer-urls": s.peerURL(),
		"listen-metrics-urls": "http://127.0.0.1:2381", "heartbeat-interval": 500, "election-timeout": 5000, "snapshot-count": 10000,
		// Without it a configuration file means 0, and etcd warns of every single request.
		"warning-unary-request-duration": (300 * time.Millisecond).Nanoseconds(),
		"client-transport-security":      security("server-ca", "server-client"), "peer-transport-security": security("peer-ca", "peer-server-client"),
		"log-outputs": []string{"stderr"}, "log-level": "warn", "logger": "zap",
	})
	if err != nil {
		return "", err
	}
	path := s.path("db/etcd/config")
	return path, writeFile(path, text, 0o600)
}

// startEtcd starts the member and waits until it votes and its cluster answers.
func (s *server) startEtcd(ctx context.Context, name, initial, state string) error {
	if err := s.issueEtcdCertificates(); err != nil {
		return err
	}
	path, err := s.etcdConfigFile(name, initial, state)
	if err != nil {
		return err
	}
	config, err := embed.ConfigFromFile(path)
	if err != nil {
		return err
	}
	if state == "new" {
		logInfo("Managed etcd cluster initializing")
	}
	running, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	s.store = s.localEtcd()
	s.etcd = &etcdMember{name: name, server: running}
	if s.etcd.client, err = s.store.client(); err != nil {
		return err
	}
	go s.watchEtcd()
	report := func(err error) { logInfo("Failed to test data store connection: %v", err) }
	if err := retry(ctx, time.Second, report, func() error { return s.etcd.test(ctx) }); err != nil {
		return err
	}
	logInfo("etcd data store connection OK")
	return nil
}
