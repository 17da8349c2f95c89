// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

func (a *agent) startKubelet() error {
	dropIns := a.path("etc/kubelet.conf.d")
	config, err := a.kubeletConfig()
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dropIns, "00-k3s-defaults.conf"), text, 0o600); err != nil {
		return err
	}
	pairs, err := a.takeKubeletConfig(dropIns)
	if err != nil {
		return err
	}
	args := map[string]string{
		"config-dir": dropIns, "kubeconfig": a.path("kubelet.kubeconfig"), "hostname-override": a.node.name, "node-ip": a.node.ip,
		"node-labels": strings.Join(append([]string{
			"node.kubernetes.io/instance-type=k3s", "beta.kubernetes.io/instance-type=k3s",
		}, a.cfg.NodeLabels...), ","),
	}
	if len(a.cfg.NodeTaints) > 0 {
		args["register-with-taints"] = strings.Join(a.cfg.NodeTaints, ",")
	}
	_, err = a.family.start(spawn{name: "kubelet", args: componentArgs(args, pairs)})
	return err
}

func (a *agent) kubeletConfig() (map[string]any, error) {
	resolv, err := a.resolvConf()
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": true, "cacheTTL": "2m0s"},
			"x509": map[string]any{"clientCAFile": a.path("client-ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"cgroupDriver":             "cgroupfs",
		"clusterDNS":               []string{a.cluster.ClusterDNS},
		"clusterDomain":            a.cluster.ClusterDomain,
		"failSwapOn":               false,
		"failCgroupV1":             false, // a lab machine may have no other
		"evictionHard":             map[string]string{"imagefs.available": "5%", "nodefs.available": "5%"},
		"healthzBindAddress":       "127.0.0.1",
		"evictionMinimumReclaim":   map[string]string{"imagefs.available": "10%", "nodefs.available": "10%"},
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"providerID":               "k3s://" + a.node.name,
		"protectKernelDefaults":    a.cfg.ProtectKernelDefaults,
		"readOnlyPort":             0,
		"resolvConf":               resolv,
		"serializeImagePulls":      false,
		"staticPodPath":            a.path("pod-manifests"),
		"tlsCertFile":              a.path("serving-kubelet.crt"),
		"tlsPrivateKeyFile":        a.path("serving-kubelet.key"),
	}, err
}

// takeKubeletConfig copies the files that kubelet-arg names among the drop-ins, and answers the other arguments.
func (a *agent) takeKubeletConfig(dropIns string) ([]string, error) {
	var rest []string
	for _, pair := range a.cfg.KubeletArgs {
		file, found := strings.CutPrefix(pair, "config=")
		if !found {
			rest = append(rest, pair)
			continue
		}
		if file == "" {
			return nil, errors.New("value required for kubelet-arg --config")
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := writeFile(filepath.Join(dropIns, "10-cli-config.conf"), text, 0o600); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// resolvConf is the host's list of name servers, or one that pods can use where the host's has only loopback addresses.
func (a *agent) resolvConf() (string, error) {
	candidates := []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}
	if a.cfg.ResolvConf != "" {
		candidates = []string{a.cfg.ResolvConf}
	}
	for _, file := range candidates {
		if text, err := os.ReadFile(file); err == nil && usableNameServers(string(text)) {
			return file, nil
		}
	}
	own := a.path("etc/resolv.conf")
	return own, writeFile(own, []byte("nameserver 8.8.8.8\n"), 0o644)
}

func usableNameServers(text string) bool {
	found := false
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		address := net.ParseIP(fields[1])
		if address == nil || address.IsLoopback() {
			return false
		}
		found = true
	}
	return found
}

func (a *agent) startKubeProxy() error {
	args := map[string]string{
		"kubeconfig": a.path("kubeproxy.kubeconfig"), "cluster-cidr": a.cluster.ClusterCIDR, "proxy-mode": "iptables",
		"hostname-override": a.node.name, "healthz-bind-address": "127.0.0.1", "conntrack-max-per-core": "0",
		"conntrack-tcp-timeout-established": "0s", "conntrack-tcp-timeout-close-wait": "0s",
	}
	_, err := a.family.start(spawn{name: "kube-proxy", args: componentArgs(args, a.cfg.KubeProxyArgs)})
	return err
}
