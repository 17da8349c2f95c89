// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestMergeConfigReplacesAndAppends(t *testing.T) {
	texts := map[string][]byte{
		"config.yaml": []byte("token: a\nnode-label: [x=1]\ndisable: traefik\ncluster-init: true\n"),
		"10.yaml":     []byte("node-label+: [y=2]\ntoken: b\n"),
		"20.yaml":     []byte("disable+: servicelb\nnode-taint+:\n- k=v:NoSchedule\n"),
		"empty.yaml":  []byte("# nothing\n"),
	}
	merged, err := mergeConfig(texts, []string{"config.yaml", "10.yaml", "20.yaml", "empty.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	want := []setting{
		{"token", []string{"b"}}, {"node-label", []string{"x=1", "y=2"}}, {"disable", []string{"traefik", "servicelb"}},
		{"cluster-init", []string{"true"}}, {"node-taint", []string{"k=v:NoSchedule"}},
	}
	if !reflect.DeepEqual(merged, want) {
		t.Errorf("got %v, want %v", merged, want)
	}
}

func TestMergeConfigRefusesWhatIsNoMapping(t *testing.T) {
	for _, text := range []string{"- a\n- b\n", "a: b: c\n", "\tkey: value\n"} {
		if _, err := mergeConfig(map[string][]byte{"f": []byte(text)}, []string{"f"}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestUnknownKeysAreToldAndSkipped(t *testing.T) {
	var unknown []string
	args := settingArgs([]setting{{"token", []string{"t"}}, {"tokn", []string{"x"}}, {"v", []string{"1", "2"}}},
		func(name string) bool { return name != "tokn" }, func(flag string) { unknown = append(unknown, flag) })
	if !reflect.DeepEqual(args, []string{"--token=t", "-v=1", "-v=2"}) || !reflect.DeepEqual(unknown, []string{"--tokn"}) {
		t.Errorf("args %v, unknown %v", args, unknown)
	}
}

func TestDropInsAreReadInOrderAndWithoutTheBaseFile(t *testing.T) {
	base := filepath.Join(t.TempDir(), "config.yaml")
	for _, name := range []string{"20.yml", "10.YAML", "note.txt", "sub.yaml/x"} {
		path := filepath.Join(base+".d", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := configFiles(base)
	want := []string{filepath.Join(base+".d", "10.YAML"), filepath.Join(base+".d", "20.yml")}
	if err != nil || !reflect.DeepEqual(files, want) {
		t.Errorf("got %v, %v; want %v", files, err, want)
	}
}

func TestPrecedenceOfCommandLineFileAndEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("node-name: from-file\ntls-san: [a, 'b,c']\nserver: https://f:6443\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("K3S_NODE_NAME", "from-environment")
	t.Setenv("K3S_TOKEN", "from-environment")
	cfg, err := readConfig("server", []string{"--config", file, "--server=https://cli:6443"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.ServerURL != "https://cli:6443" || cfg.NodeName != "from-file" || cfg.Token != "from-environment" {
		t.Errorf("got %q, %q, %q", cfg.ServerURL, cfg.NodeName, cfg.Token)
	}
	if !reflect.DeepEqual(cfg.TLSSans, []string{"a", "b", "c"}) || cfg.ClusterDNS != "10.43.0.10" {
		t.Errorf("got %v, %s", cfg.TLSSans, cfg.ClusterDNS)
	}
}

func TestFlagErrors(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.yaml")
	for want, args := range map[string][]string{
		"--server is required":                                       {"agent"},
		"invalid cluster-cidr banana":                                {"server", "--cluster-cidr=banana"},
		"invalid service-cidr banana":                                {"server", "--service-cidr=banana"},
		"invalid flag use; --server is required with --disable-etcd": {"server", "--disable-etcd"},
	} {
		_, err := readConfig(args[0], append([]string{"--config=" + none}, args[1:]...))
		if err == nil || err.Error() != want {
			t.Errorf("%v: got %v, want %s", args, err, want)
		}
	}
}

func TestComponentArgsReplaceTheirDefault(t *testing.T) {
	args := componentArgs(map[string]string{"v": "1", "profiling": "false"}, []string{"v=5", "--feature-gates=A=true"})
	if want := []string{"--profiling=false", "--v=5", "--feature-gates=A=true"}; !reflect.DeepEqual(args, want) {
		t.Errorf("got %v, want %v", args, want)
	}
}
