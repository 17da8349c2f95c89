// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const sqliteEndpoint = "sqlite://./db/state.db?_journal=WAL&cache=shared&_busy_timeout=30000&_txlock=immediate"

// datastore is how to reach what speaks etcd's protocol on this node: kine, or etcd itself.
type datastore struct {
	endpoint string
	ca       string // file paths; empty for kine's socket
	cert     string
	key      string
}

func (d datastore) tlsConfig() (*tls.Config, error) {
	if d.ca == "" {
		return nil, nil
	}
	return transport.TLSInfo{TrustedCAFile: d.ca, CertFile: d.cert, KeyFile: d.key}.ClientConfig()
}

// client opens a connection to the local endpoint, or to the ones given.
func (d datastore) client(endpoints ...string) (*clientv3.Client, error) {
	config, err := d.tlsConfig()
	if err != nil {
		return nil, err
	}
	if len(endpoints) == 0 {
		endpoints = []string{d.endpoint}
	}
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, TLS: config, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
	})
}

// apiServerArgs are the flags that point kube-apiserver at the datastore.
func (d datastore) apiServerArgs() map[string]string {
	args := map[string]string{"etcd-servers": d.endpoint}
	if d.ca != "" {
		args["etcd-cafile"], args["etcd-certfile"], args["etcd-keyfile"] = d.ca, d.cert, d.key
	}
	return args
}

// startKine starts kine on a database, and answers once it does.
func (s *server) startKine(ctx context.Context, endpoint string) (*child, datastore, error) {
	socket := filepath.Join(s.dir, "kine.sock")
	if err := os.RemoveAll(socket); err != nil {
		return nil, datastore{}, err
	}
	// The endpoint may hold a password: the environment of a process is its owner's alone, its command line is everybody's.
	env := []string{"KINE_ENDPOINT=" + endpoint, "KINE_LISTEN_ADDRESS=unix://" + socket, "KINE_METRICS_BIND_ADDRESS=0"}
	for name, value := range map[string]string{
		"KINE_CA_FILE": s.cfg.DatastoreCA, "KINE_CERT_FILE": s.cfg.DatastoreCert, "KINE_KEY_FILE": s.cfg.DatastoreKey,
	} {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	kine, err := s.family.start(spawn{name: "kine", env: env, dir: s.dir, base: true})
	if err != nil {
		return nil, datastore{}, err
	}
	store := datastore{endpoint: "unix://" + socket}
	logInfo("Kine available at unix://kine.sock")
	client, err := store.client()
	if err != nil {
		return nil, datastore{}, err
	}
	defer client.Close()
	return kine, store, retry(ctx, 500*time.Millisecond, nil, func() error {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		_, err := client.Get(attempt, bootstrapPrefix, clientv3.WithPrefix(), clientv3.WithLimit(1))
		return err
	})
}

// bootstrapFromStore brings the shared secrets from the datastore to this disk, or makes them on the first start.
func (s *server) bootstrapFromStore(ctx context.Context) error {
	client, err := s.store.client()
	if err != nil {
		return err
	}
	defer client.Close()
	files, err := loadBundle(ctx, client, s.password)
	if err != nil {
		return err
	}
	if files == nil {
		if files, err = s.ownBundle(); err != nil {
			return err
		}
		if files, err = agreeOnBundle(ctx, client, s.password, files); err != nil {
			return err
		}
	}
	return files.write(s.dir)
}

// ownBundle is what this disk has, or new secrets.
func (s *server) ownBundle() (bundle, error) {
	if files, err := readBundle(s.dir); err == nil {
		return files, nil
	}
	return newBundle()
}
