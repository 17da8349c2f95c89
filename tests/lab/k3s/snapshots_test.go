// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

func TestSurplusSnapshots(t *testing.T) {
	files := []string{"nightly-pi1-1753178530", "nightly-pi1-1753178520", "nightly-pi2-1753178500", "nightly-pi1-1753178510", "other-pi1-1", "x.part"}
	if got := surplusSnapshots(files, "nightly-pi1", 2); !reflect.DeepEqual(got, []string{"nightly-pi1-1753178510"}) {
		t.Errorf("got %v", got)
	}
	if got := surplusSnapshots(files, "nightly-pi1", 0); len(got) != 0 {
		t.Errorf("without a number five are kept, got %v", got)
	}
}

func TestSnapshotOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := "data-dir: /srv/k3s\netcd-snapshot-retention: 7\netcd-snapshot-name: nightly\nnode-name: pi1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := readSnapshotOptions("save", []string{"--config=" + file, "--name", "before"})
	if err != nil || options.dataDir != "/srv/k3s" || options.request.Retention != 7 || !reflect.DeepEqual(options.request.Name, []string{"before"}) {
		t.Errorf("got %+v, %v", options, err)
	}
	for want, args := range map[string][]string{
		"no snapshots given for removal": {"delete"}, "invalid output format: xml": {"list", "-o", "xml"},
	} {
		if _, err := readSnapshotOptions(args[0], append([]string{"--config=" + file + ".none"}, args[1:]...)); err == nil || err.Error() != want {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

func TestResetFlags(t *testing.T) {
	none := "--config=" + filepath.Join(t.TempDir(), "none.yaml")
	for want, args := range map[string][]string{
		"invalid flag use; --cluster-reset required with --cluster-reset-restore-path":                             {"--cluster-reset-restore-path=/x"},
		"cannot perform cluster-reset while server URL is set - remove server from configuration before resetting": {"--cluster-reset", "--server=https://a:6443"},
	} {
		if _, err := readConfig("server", append([]string{none}, args...)); err == nil || err.Error() != want {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

func TestARestoreIsRefusedBeforeAnythingChanges(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "snapshot")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, path := range map[string]string{
		"etcd: snapshot path does not exist: /none":                                    "/none",
		"etcd: snapshot path must be a file, not a directory: " + dir:                  dir,
		dir + "/token does not exist, please pass --token to complete the restoration": file,
	} {
		s := &server{dir: dir, cfg: &Config{ClusterResetRestorePath: path}}
		if err := s.mayReset(); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// clusterWithSecrets is the etcd of one server, with a cluster's secrets in it as k3s keeps them.
func clusterWithSecrets(t *testing.T, password string) *soloEtcd {
	t.Helper()
	client, peer := freeURL(t), freeURL(t)
	config := embed.NewConfig()
	config.Name, config.Dir = "pi9-00000000", filepath.Join(t.TempDir(), "etcd")
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.Name + "=" + peer.String()
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	running, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	<-running.Server.ReadyNotify()
	access, err := datastore{endpoint: client.String()}.client()
	if err != nil {
		t.Fatal(err)
	}
	files, err := newBundle()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agreeOnBundle(context.Background(), access, password, files); err != nil {
		t.Fatal(err)
	}
	return &soloEtcd{running, access}
}

func freeURL(t *testing.T) url.URL {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return url.URL{Scheme: "http", Host: listener.Addr().String()}
}

func TestASnapshotBecomesTheClusterOfAnotherServer(t *testing.T) {
	old := clusterWithSecrets(t, "secret")
	defer old.stop()
	own := snapshots{dir: filepath.Join(t.TempDir(), "snapshots"), node: "pi9"}
	saved, err := own.save(t.Context(), datastore{endpoint: old.client.Endpoints()[0]}, "nightly", 5)
	if err != nil || len(saved.Created) != 1 || !strings.HasPrefix(saved.Created[0], "nightly-pi9-") {
		t.Fatalf("got %+v, %v", saved, err)
	}
	list, err := own.list()
	if err != nil || len(list.Items) != 1 || !list.Items[0].Status.ReadyToUse {
		t.Fatalf("got %+v, %v", list, err)
	}
	if size, _ := strconv.Atoi(list.Items[0].Status.Size); size < 1000 {
		t.Errorf("got %d bytes", size)
	}
	path := filepath.Join(own.dir, saved.Created[0])

	for password, want := range map[string]error{"secret": nil, "another": errDifferentToken} {
		s := &server{dir: t.TempDir(), node: nodeIdentity{name: "pi1", ip: "10.0.0.1"}, password: password, cfg: &Config{ClusterResetRestorePath: path}}
		t.Chdir(s.dir)
		if err := s.makeDirectories(); err != nil {
			t.Fatal(err)
		}
		if err := s.restoreSnapshot(); err != nil {
			t.Fatal(err)
		}
		name, err := s.etcdName()
		if err != nil || !strings.HasPrefix(name, "pi1-") {
			t.Fatalf("got %s, %v", name, err)
		}
		if err := s.readSecretsFromData(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%s: got %v", password, err)
		}
		if _, err := readBundle(s.dir); (err == nil) != (want == nil) {
			t.Errorf("%s: certificates: %v", password, err)
		}
	}

	gone, err := own.delete([]string{saved.Created[0], "none"})
	if err != nil || !reflect.DeepEqual(gone.Deleted, saved.Created) {
		t.Errorf("got %+v, %v", gone, err)
	}
}

func TestShowSnapshots(t *testing.T) {
	var out strings.Builder
	text := `{"items":[{"spec":{"snapshotName":"a-pi1-1","location":"file:///s/a-pi1-1"},"status":{"size":"7","creationTime":"2026-01-02T03:04:05Z"}}]}`
	if err := showSnapshots(&out, []byte(text), "table"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if !reflect.DeepEqual(strings.Fields(lines[0]), []string{"Name", "Location", "Size", "Created"}) ||
		!reflect.DeepEqual(strings.Fields(lines[1]), []string{"a-pi1-1", "file:///s/a-pi1-1", "7", "2026-01-02T03:04:05Z"}) {
		t.Errorf("got %q", out.String())
	}
}
