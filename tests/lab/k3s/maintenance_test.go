// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// testEtcd is an etcd of this test's own.
func testEtcd(t *testing.T) (*clientv3.Client, datastore) {
	t.Helper()
	config := embed.NewConfig()
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.Dir, config.LogLevel = t.TempDir(), "fatal"
	config.ListenClientUrls, config.AdvertiseClientUrls = anyPort, anyPort
	config.ListenPeerUrls, config.AdvertisePeerUrls = anyPort, anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	running, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Close)
	store := datastore{endpoint: "http://" + running.Clients[0].Addr().String()}
	client, err := store.client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, store
}

func TestChangeServerPassword(t *testing.T) {
	for users, want := range map[string]string{
		"old,node,node,k3s:agent\nold,server,server,k3s:server\n":   "new,node,node,k3s:agent\nnew,server,server,k3s:server\n",
		"agent,node,node,k3s:agent\nold,server,server,k3s:server\n": "agent,node,node,k3s:agent\nnew,server,server,k3s:server\n",
	} {
		if text, current, err := changeServerPassword(users, "new", true); err != nil || text != want || current != "old" {
			t.Errorf("got %q, %q, %v", text, current, err)
		}
	}
	same := "old,node,node,k3s:agent\nold,server,server,k3s:server\n"
	if text, _, _ := changeServerPassword(same, "new", false); !strings.HasPrefix(text, "old,node,") {
		t.Errorf("an agent token of its own has to stay: %q", text)
	}
	if _, _, err := changeServerPassword("", "new", true); err == nil {
		t.Error("a file without a server was taken")
	}
}

func TestRotateBundle(t *testing.T) {
	ctx := context.Background()
	store, _ := testEtcd(t)
	files := bundle{"tls/x.key": []byte("secret")}
	if _, err := agreeOnBundle(ctx, store, "old", files); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is only made sure of
		if err := rotateBundle(ctx, store, "old", "new"); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := loadBundle(ctx, store, "new"); err != nil || !reflect.DeepEqual(found, files) {
		t.Errorf("got %v, %v", found, err)
	}
	if _, err := loadBundle(ctx, store, "old"); !errors.Is(err, errDifferentToken) {
		t.Errorf("the old token still opens it: %v", err)
	}
	if err := rotateBundle(ctx, store, "stranger", "newest"); !errors.Is(err, errDifferentToken) {
		t.Errorf("got %v", err)
	}
}

func TestCopyKeys(t *testing.T) {
	ctx := context.Background()
	source, store := testEtcd(t)
	target, _ := testEtcd(t)
	for number := range migrationPage + 3 {
		if _, err := source.Put(ctx, fmt.Sprintf("/registry/key-%04d", number), "value"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := source.Put(ctx, "/bootstrap/0123", "sealed"); err != nil {
		t.Fatal(err)
	}
	if err := copyKeys(ctx, store, target); err != nil {
		t.Fatal(err)
	}
	found, err := target.Get(ctx, "/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || found.Count != migrationPage+3 {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestRetireSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	for _, suffix := range []string{"", "-wal"} {
		if err := os.WriteFile(path+suffix, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := retireSQLite(path); err != nil {
		t.Fatal(err)
	}
	if exists(path) || exists(path+"-wal") || !exists(path+".migrated") || !exists(path+".migrated-wal") {
		t.Error("the database was not put aside as a whole")
	}
}

// testCertificates is the data directory of a server with two certificates.
func testCertificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ca := testAuthority(t)
	for _, path := range []string{"server/tls/client-admin", "agent/client-kubelet"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := ca.ensure(filepath.Join(dir, path), leaf{name: "who"}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCertificatesAreReported(t *testing.T) {
	dir := testCertificates(t)
	for status, now := range map[string]time.Time{
		"OK": time.Now(), "WARNING": time.Now().Add(leafLife - renewBefore + time.Hour),
		"EXPIRED": time.Now().Add(leafLife + time.Hour), "NOT YET VALID": time.Now().Add(-48 * time.Hour),
	} {
		found := collectCertificates(dir, []string{"admin"}, now)
		if len(found) != 2 || found[0].Filename != "client-admin.crt" || found[0].Subject != "who" || found[0].Status != status {
			t.Errorf("%s: a certificate and its CA were expected: %+v", status, found)
		}
	}
	var text bytes.Buffer
	if err := printCertificates(&text, "json", collectCertificates(dir, agentServices, time.Now())); err != nil {
		t.Fatal(err)
	}
	var answer struct{ Certificates []certificateInfo }
	if err := json.Unmarshal(text.Bytes(), &answer); err != nil || answer.Certificates[0].Usages[0] != "ClientAuth" {
		t.Errorf("got %s, %v", text.String(), err)
	}
	if err := printCertificates(&text, "xml", nil); err == nil || err.Error() != "invalid output format xml" {
		t.Errorf("got %v", err)
	}
}

func TestChooseServices(t *testing.T) {
	if _, err := chooseServices(t.TempDir(), []string{"admin", "x"}, "checking"); err == nil || err.Error() != "service x is not recognized" {
		t.Errorf("got %v", err)
	}
	if names, _ := chooseServices(t.TempDir(), nil, "checking"); !reflect.DeepEqual(names, agentServices) {
		t.Errorf("got %v", names)
	}
	if names, _ := chooseServices(testCertificates(t), nil, "checking"); len(names) != len(certificateFiles) {
		t.Errorf("got %v", names)
	}
}

func TestRotatedCertificatesAreBackedUp(t *testing.T) {
	dir := testCertificates(t)
	if err := rotateCertificates(dir, []string{"admin", "k3s-server", "kubelet"}); err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Join(dir, "server/tls/client-admin.crt")) || exists(filepath.Join(dir, "agent/client-kubelet.key")) {
		t.Error("they are still there")
	}
	backups, err := filepath.Glob(filepath.Join(dir, "server/tls-*/client-*.crt"))
	if err != nil || len(backups) != 2 {
		t.Errorf("got %v, %v", backups, err)
	}
	if !exists(filepath.Join(dir, "server", regenerateTrigger)) {
		t.Error("no trigger for the certificate of the supervisor")
	}
}
