// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

const (
	defaultDataDir    = "/var/lib/rancher/k3s"
	defaultKubeconfig = "/etc/rancher/k3s/k3s.yaml"
	nodeConfigDir     = "/etc/rancher/node"
)

// Config is everything the flags, the files and the environment said.
type Config struct {
	Role    string
	Args    []string // as merged, for the k3s.io/node-args annotation
	DataDir string

	BindAddress, AdvertiseAddress string
	HTTPSPort, LBPort             int
	TLSSans                       []string

	ClusterCIDR, ServiceCIDR, NodePortRange, ClusterDNS, ClusterDomain string

	Kubeconfig, KubeconfigMode, KubeconfigGroup string

	Token, TokenFile, AgentToken, AgentTokenFile, ServerURL string
	ClusterInit, ClusterReset                               bool
	ClusterResetRestorePath                                 string

	DatastoreEndpoint, DatastoreCA, DatastoreCert, DatastoreKey string

	APIServerArgs, ControllerManagerArgs, SchedulerArgs, KubeletArgs, KubeProxyArgs []string

	Disable                                                                                                   []string
	DisableScheduler, DisableAPIServer, DisableControllerManager, DisableEtcd, DisableAgent, DisableKubeProxy bool
	LocalStoragePath                                                                                          string

	NodeName, NodeIP, NodeExternalIP, ResolvConf string
	NodeLabels, NodeTaints                       []string
	WithNodeID, ProtectKernelDefaults, Debug     bool
	Snapshotter, PauseImage                      string
}

// environment names the variables that stand for a flag the command line and the files leave unset.
var environment = map[string]string{
	"data-dir": "K3S_DATA_DIR", "lb-server-port": "K3S_LB_SERVER_PORT", "write-kubeconfig": "K3S_KUBECONFIG_OUTPUT",
	"write-kubeconfig-mode": "K3S_KUBECONFIG_MODE", "write-kubeconfig-group": "K3S_KUBECONFIG_GROUP",
	"token": "K3S_TOKEN", "token-file": "K3S_TOKEN_FILE", "agent-token": "K3S_AGENT_TOKEN",
	"agent-token-file": "K3S_AGENT_TOKEN_FILE", "server": "K3S_URL", "cluster-init": "K3S_CLUSTER_INIT",
	"datastore-endpoint": "K3S_DATASTORE_ENDPOINT", "datastore-cafile": "K3S_DATASTORE_CAFILE",
	"datastore-certfile": "K3S_DATASTORE_CERTFILE", "datastore-keyfile": "K3S_DATASTORE_KEYFILE",
	"node-name": "K3S_NODE_NAME", "resolv-conf": "K3S_RESOLV_CONF", "debug": "K3S_DEBUG",
	"cluster-reset": "K3S_CLUSTER_RESET",
}

// Flags of k3s that this double takes and does nothing with: the README lists them.
var (
	inertServer = []string{
		"advertise-port", "tls-san-security", "flannel-backend", "flannel-ipv6-masq", "flannel-external-ip",
		"egress-selector-mode", "servicelb-namespace",
		"kube-cloud-controller-manager-arg", "etcd-arg", "etcd-expose-metrics", "etcd-disable-snapshots",
		"etcd-snapshot-name", "etcd-snapshot-schedule-cron", "etcd-snapshot-retention", "etcd-snapshot-dir",
		"etcd-snapshot-compress", "etcd-snapshot-reconcile-interval", "disable-cloud-controller",
		"disable-network-policy", "disable-helm-controller", "embedded-registry", "supervisor-metrics",
		"helm-job-image", "secrets-encryption", "secrets-encryption-provider", "system-default-registry",
	}
	inertNode = []string{
		"node-internal-dns", "node-external-dns", "flannel-iface", "flannel-conf", "flannel-cni-conf", "selinux",
		"docker", "container-runtime-endpoint", "default-runtime", "disable-default-registry-endpoint",
		"private-registry", "prefer-bundled-bin", "rootless", "vmodule", "log", "v", "alsologtostderr",
	}
)

func newFlags(cfg *Config) *pflag.FlagSet {
	flags := pflag.NewFlagSet("k3s "+cfg.Role, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringP("config", "c", "", "configuration file")
	flags.StringVarP(&cfg.DataDir, "data-dir", "d", defaultDataDir, "state of k3s")
	flags.StringVarP(&cfg.Token, "token", "t", "", "shared secret")
	flags.StringVar(&cfg.TokenFile, "token-file", "", "file with the token")
	flags.StringVarP(&cfg.ServerURL, "server", "s", "", "server to join")
	flags.IntVar(&cfg.LBPort, "lb-server-port", 6444, "local port of the agent's load balancer")
	nodeFlags(flags, cfg)
	addInert(flags, inertNode)
	if cfg.Role == "server" {
		serverFlags(flags, cfg)
		addInert(flags, inertServer)
	}
	return flags
}

func nodeFlags(flags *pflag.FlagSet, cfg *Config) {
	flags.StringVar(&cfg.NodeName, "node-name", "", "name of the node")
	flags.BoolVar(&cfg.WithNodeID, "with-node-id", false, "append an id to the node name")
	flags.StringArrayVar(&cfg.NodeLabels, "node-label", nil, "labels of the node")
	flags.StringArrayVar(&cfg.NodeTaints, "node-taint", nil, "taints at registration")
	flags.StringVarP(&cfg.NodeIP, "node-ip", "i", "", "address of the node")
	flags.StringVar(&cfg.NodeExternalIP, "node-external-ip", "", "outer address of the node")
	flags.StringVar(&cfg.ResolvConf, "resolv-conf", "", "resolv.conf of the kubelet")
	flags.StringArrayVar(&cfg.KubeletArgs, "kubelet-arg", nil, "kubelet flags")
	flags.StringArrayVar(&cfg.KubeProxyArgs, "kube-proxy-arg", nil, "kube-proxy flags")
	flags.BoolVar(&cfg.ProtectKernelDefaults, "protect-kernel-defaults", false, "fail on foreign sysctls")
	flags.StringVar(&cfg.Snapshotter, "snapshotter", "overlayfs", "containerd snapshotter")
	flags.StringVar(&cfg.PauseImage, "pause-image", pauseImage, "sandbox image")
	flags.BoolVar(&cfg.Debug, "debug", false, "more log")
}

func serverFlags(flags *pflag.FlagSet, cfg *Config) {
	flags.StringVar(&cfg.BindAddress, "bind-address", "", "address to listen on")
	flags.IntVar(&cfg.HTTPSPort, "https-listen-port", 6443, "port to listen on")
	flags.StringVar(&cfg.AdvertiseAddress, "advertise-address", "", "address members use")
	flags.StringArrayVar(&cfg.TLSSans, "tls-san", nil, "further names of the certificate")
	flags.StringVar(&cfg.ClusterCIDR, "cluster-cidr", "10.42.0.0/16", "pod network")
	flags.StringVar(&cfg.ServiceCIDR, "service-cidr", "10.43.0.0/16", "service network")
	flags.StringVar(&cfg.NodePortRange, "service-node-port-range", "30000-32767", "node ports")
	flags.StringVar(&cfg.ClusterDNS, "cluster-dns", "", "address of the cluster's DNS")
	flags.StringVar(&cfg.ClusterDomain, "cluster-domain", "cluster.local", "domain of the cluster")
	flags.StringVarP(&cfg.Kubeconfig, "write-kubeconfig", "o", "", "where the kubeconfig goes")
	flags.StringVar(&cfg.KubeconfigMode, "write-kubeconfig-mode", "", "its mode")
	flags.StringVar(&cfg.KubeconfigGroup, "write-kubeconfig-group", "", "its group")
	flags.StringVar(&cfg.AgentToken, "agent-token", "", "token that lets agents join only")
	flags.StringVar(&cfg.AgentTokenFile, "agent-token-file", "", "file with it")
	flags.BoolVar(&cfg.ClusterInit, "cluster-init", false, "start a cluster with embedded etcd")
	flags.BoolVar(&cfg.ClusterReset, "cluster-reset", false, "make this server its cluster's only one, and end")
	flags.StringVar(&cfg.ClusterResetRestorePath, "cluster-reset-restore-path", "", "from this snapshot")
	flags.StringVar(&cfg.DatastoreEndpoint, "datastore-endpoint", "", "external datastore")
	flags.StringVar(&cfg.DatastoreCA, "datastore-cafile", "", "its CA")
	flags.StringVar(&cfg.DatastoreCert, "datastore-certfile", "", "client certificate for it")
	flags.StringVar(&cfg.DatastoreKey, "datastore-keyfile", "", "and its key")
	flags.StringArrayVar(&cfg.APIServerArgs, "kube-apiserver-arg", nil, "kube-apiserver flags")
	flags.StringArrayVar(&cfg.ControllerManagerArgs, "kube-controller-manager-arg", nil, "kube-controller-manager flags")
	flags.StringArrayVar(&cfg.SchedulerArgs, "kube-scheduler-arg", nil, "kube-scheduler flags")
	flags.StringArrayVar(&cfg.Disable, "disable", nil, "packaged components to leave out")
	flags.BoolVar(&cfg.DisableScheduler, "disable-scheduler", false, "")
	flags.BoolVar(&cfg.DisableAPIServer, "disable-apiserver", false, "")
	flags.BoolVar(&cfg.DisableControllerManager, "disable-controller-manager", false, "")
	flags.BoolVar(&cfg.DisableEtcd, "disable-etcd", false, "")
	flags.BoolVar(&cfg.DisableAgent, "disable-agent", false, "")
	flags.BoolVar(&cfg.DisableKubeProxy, "disable-kube-proxy", false, "")
	flags.StringVar(&cfg.LocalStoragePath, "default-local-storage-path", "", "where local volumes lie")
}

func addInert(flags *pflag.FlagSet, names []string) {
	for _, name := range names {
		flags.StringArray(name, nil, "taken, without effect here")
		flags.Lookup(name).NoOptDefVal = "true"
	}
}

// readConfig merges command line, files and environment, in that order of precedence.
func readConfig(role string, args []string) (*Config, error) {
	cfg := &Config{Role: role}
	flags := newFlags(cfg)
	fromFiles, err := configFileArgs(configPath(args), func(name string) bool {
		return flags.Lookup(name) != nil || len(name) == 1 && flags.ShorthandLookup(name) != nil
	})
	if err != nil {
		return nil, err
	}
	cfg.Args = append(append([]string{role}, fromFiles...), args...)
	flags.SetOutput(io.Discard)
	if err := flags.Parse(cfg.Args[1:]); err != nil {
		return nil, err
	}
	if err := readEnvironment(flags); err != nil {
		return nil, err
	}
	return cfg, cfg.complete()
}

func configPath(args []string) string {
	for i, arg := range args {
		for _, name := range []string{"--config", "-c"} {
			if value, found := strings.CutPrefix(arg, name+"="); found {
				return value
			}
			if arg == name && i+1 < len(args) {
				return args[i+1]
			}
		}
	}
	if path := os.Getenv("K3S_CONFIG_FILE"); path != "" {
		return path
	}
	return defaultConfigFile
}

func readEnvironment(flags *pflag.FlagSet) error {
	for name, variable := range environment {
		flag := flags.Lookup(name)
		value := os.Getenv(variable)
		if flag == nil || flag.Changed || value == "" {
			continue
		}
		if err := flags.Set(name, value); err != nil {
			return fmt.Errorf("%s: %w", variable, err)
		}
	}
	return nil
}

// complete fills in what follows from other settings, and refuses what cannot be.
func (cfg *Config) complete() error {
	for _, pair := range []struct{ value, file *string }{{&cfg.Token, &cfg.TokenFile}, {&cfg.AgentToken, &cfg.AgentTokenFile}} {
		if *pair.file == "" {
			continue
		}
		text, err := os.ReadFile(*pair.file)
		if err != nil {
			return err
		}
		*pair.value = strings.TrimSpace(string(text))
	}
	cfg.Disable = splitCommas(cfg.Disable)
	cfg.TLSSans = splitCommas(cfg.TLSSans)
	if cfg.Role == "server" {
		return cfg.completeServer()
	}
	if cfg.ServerURL == "" {
		return errors.New("--server is required")
	}
	return nil
}

func (cfg *Config) completeServer() error {
	if cfg.DisableEtcd && cfg.ServerURL == "" {
		return errors.New("invalid flag use; --server is required with --disable-etcd")
	}
	if cfg.ClusterResetRestorePath != "" && !cfg.ClusterReset {
		return errors.New("invalid flag use; --cluster-reset required with --cluster-reset-restore-path")
	}
	if cfg.ClusterReset && cfg.ServerURL != "" {
		return errors.New("cannot perform cluster-reset while server URL is set - remove server from configuration before resetting")
	}
	if _, err := netip.ParsePrefix(cfg.ClusterCIDR); err != nil {
		return fmt.Errorf("invalid cluster-cidr %s", cfg.ClusterCIDR)
	}
	services, err := netip.ParsePrefix(cfg.ServiceCIDR)
	if err != nil {
		return fmt.Errorf("invalid service-cidr %s", cfg.ServiceCIDR)
	}
	if cfg.ClusterDNS == "" {
		cfg.ClusterDNS = nthAddress(services, 10).String()
	}
	if _, err := netip.ParseAddr(cfg.ClusterDNS); err != nil {
		return fmt.Errorf("invalid cluster-dns address %s", cfg.ClusterDNS)
	}
	return nil
}

func (cfg *Config) disabled(component string) bool {
	for _, name := range cfg.Disable {
		if name == component {
			return true
		}
	}
	return false
}

func nthAddress(prefix netip.Prefix, n int) netip.Addr {
	address := prefix.Masked().Addr()
	for range n {
		address = address.Next()
	}
	return address
}

func splitCommas(values []string) []string {
	var parts []string
	for _, value := range values {
		for _, part := range strings.Split(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				parts = append(parts, part)
			}
		}
	}
	return parts
}
