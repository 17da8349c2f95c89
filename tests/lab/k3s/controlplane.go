// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// loopbackAddress is where kube-apiserver itself listens. It must have the port that the cluster is told (upstream announces its own
// port as the endpoint of the service "kubernetes"), so it shares the supervisor's port on a loopback address of its own.
const loopbackAddress = "127.0.0.2"

func (s *server) loopbackURL() string {
	return "https://" + net.JoinHostPort(loopbackAddress, strconv.Itoa(s.cfg.HTTPSPort))
}

// servingNames are all the names and addresses this server answers to.
func (s *server) servingNames() []string {
	services, _ := netip.ParsePrefix(s.cfg.ServiceCIDR)
	names := []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + s.cfg.ClusterDomain, "localhost",
		s.node.name, s.node.hostname, "127.0.0.1", "::1", loopbackAddress, nthAddress(services, 1).String(), s.node.ip,
		s.cfg.AdvertiseAddress, s.cfg.NodeExternalIP, s.cfg.BindAddress,
	}
	var unique []string
	for _, name := range append(names, s.cfg.TLSSans...) {
		if name != "" && !slices.Contains(unique, name) {
			unique = append(unique, name)
		}
	}
	return unique
}

// issueCertificates keeps every leaf certificate of the control plane valid, and the kubeconfigs that use them.
func (s *server) issueCertificates() error {
	masters := []string{"system:masters"}
	clients := map[string]leaf{
		"admin":      {name: "system:admin", groups: masters},
		"supervisor": {name: "system:k3s-supervisor", groups: masters},
		"controller": {name: "system:kube-controller-manager"}, "scheduler": {name: "system:kube-scheduler"},
		"kube-apiserver": {name: "system:apiserver", groups: masters},
		"kube-proxy":     {name: "system:kube-proxy"}, "k3s-controller": {name: "system:k3s-controller"},
	}
	for name, want := range clients {
		if err := s.clientCA.ensure(s.path("tls/client-"+name), want); err != nil {
			return err
		}
	}
	frontCA, err := loadAuthority(s.path("tls/request-header-ca"))
	if err != nil {
		return err
	}
	if err := frontCA.ensure(s.path("tls/client-auth-proxy"), leaf{name: "system:auth-proxy"}); err != nil {
		return err
	}
	if err := s.serverCA.ensure(s.path("tls/serving-kube-apiserver"), leaf{name: "kube-apiserver", names: s.servingNames()}); err != nil {
		return err
	}
	serving := leaf{name: "k3s", groups: []string{"k3s"}, names: s.servingNames()}
	if err := s.serverCA.ensure(s.path("tls/serving-k3s"), serving); err != nil {
		return err
	}
	for file, client := range map[string]string{
		"admin": "admin", "supervisor": "supervisor", "controller": "controller", "scheduler": "scheduler", "api-server": "kube-apiserver",
	} {
		config := kubeconfigOfFiles(s.loopbackURL(), s.path("tls/server-ca.crt"), s.path("tls/client-"+client))
		if err := writeKubeconfigFile(s.path("cred/"+file+".kubeconfig"), config); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfigOfFiles is a kubeconfig that names the certificate's files, so a renewed certificate needs no new kubeconfig.
func kubeconfigOfFiles(url, ca, certificate string) *clientcmdapi.Config {
	config := clientcmdapi.NewConfig()
	config.Clusters["local"] = &clientcmdapi.Cluster{Server: url, CertificateAuthority: ca}
	config.AuthInfos["user"] = &clientcmdapi.AuthInfo{ClientCertificate: certificate + ".crt", ClientKey: certificate + ".key"}
	config.Contexts["Default"] = &clientcmdapi.Context{Cluster: "local", AuthInfo: "user"}
	config.CurrentContext = "Default"
	return config
}

func writeKubeconfigFile(path string, config *clientcmdapi.Config) error {
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return writeFile(path, text, 0o600)
}

func (s *server) connectKube() (err error) {
	if s.rest, err = clientcmd.BuildConfigFromFlags("", s.path("cred/supervisor.kubeconfig")); err != nil {
		return err
	}
	s.rest.QPS, s.rest.Burst = 50, 100
	s.kube, err = kubernetes.NewForConfig(s.rest)
	return err
}

// writeKubeconfig writes the administrator's kubeconfig, self-contained, under the names k3s uses.
func (s *server) writeKubeconfig() error {
	config := clientcmdapi.NewConfig()
	url := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(s.cfg.HTTPSPort))
	ca, errCA := os.ReadFile(s.path("tls/server-ca.crt"))
	certificate, errCert := os.ReadFile(s.path("tls/client-admin.crt"))
	key, errKey := os.ReadFile(s.path("tls/client-admin.key"))
	for _, err := range []error{errCA, errCert, errKey} {
		if err != nil {
			return err
		}
	}
	config.Clusters["default"] = &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: ca}
	config.AuthInfos["default"] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: "default", AuthInfo: "default"}
	config.CurrentContext = "default"
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return s.placeKubeconfig(text)
}

func (s *server) placeKubeconfig(text []byte) error {
	path, mode := defaultKubeconfig, os.FileMode(0o600)
	if s.cfg.Kubeconfig != "" {
		path = s.cfg.Kubeconfig
	}
	if s.cfg.KubeconfigMode != "" {
		bits, err := strconv.ParseUint(s.cfg.KubeconfigMode, 8, 32)
		if err != nil {
			return fmt.Errorf("invalid write-kubeconfig-mode %s", s.cfg.KubeconfigMode)
		}
		mode = os.FileMode(bits)
	}
	for _, file := range []string{path, defaultKubeconfig} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
	}
	if err := writeFile(path, text, mode); err != nil {
		return err
	}
	if err := changeGroup(path, s.cfg.KubeconfigGroup); err != nil {
		return err
	}
	logInfo("Wrote kubeconfig %s", path)
	if path == defaultKubeconfig {
		return nil
	}
	return replaceLink(path, defaultKubeconfig)
}

func changeGroup(path, name string) error {
	if name == "" {
		return nil
	}
	id := name
	if group, err := user.LookupGroup(name); err == nil {
		id = group.Gid
	}
	number, err := strconv.Atoi(id)
	if err != nil {
		return fmt.Errorf("unknown group %s", name)
	}
	return os.Chown(path, -1, number)
}

func (s *server) apiServerArgs() []string {
	issuer := "https://kubernetes.default.svc." + s.cfg.ClusterDomain
	advertise := s.cfg.AdvertiseAddress
	if advertise == "" {
		advertise = s.node.ip
	}
	args := map[string]string{
		"advertise-address": advertise, "allow-privileged": "true", "anonymous-auth": "false", "api-audiences": issuer + ",k3s",
		"authorization-mode": "Node,RBAC", "bind-address": loopbackAddress, "permit-port-sharing": "true",
		"secure-port": strconv.Itoa(s.cfg.HTTPSPort), "client-ca-file": s.path("tls/client-ca.crt"),
		"enable-admission-plugins": "NodeRestriction", "enable-aggregator-routing": "true", "enable-bootstrap-token-auth": "true",
		"kubelet-certificate-authority": s.path("tls/server-ca.crt"),
		"kubelet-client-certificate":    s.path("tls/client-kube-apiserver.crt"), "kubelet-client-key": s.path("tls/client-kube-apiserver.key"),
		"kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname", "profiling": "false",
		"proxy-client-cert-file": s.path("tls/client-auth-proxy.crt"), "proxy-client-key-file": s.path("tls/client-auth-proxy.key"),
		"requestheader-allowed-names": "system:auth-proxy", "requestheader-client-ca-file": s.path("tls/request-header-ca.crt"),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-", "requestheader-group-headers": "X-Remote-Group",
		"requestheader-username-headers": "X-Remote-User", "service-account-issuer": issuer,
		"service-account-key-file":         s.path("tls/service.key"),
		"service-account-signing-key-file": s.path("tls/service.current.key"),
		"service-cluster-ip-range":         s.cfg.ServiceCIDR, "service-node-port-range": s.cfg.NodePortRange,
		"tls-cert-file": s.path("tls/serving-kube-apiserver.crt"), "tls-private-key-file": s.path("tls/serving-kube-apiserver.key"),
	}
	for name, value := range s.store.apiServerArgs() {
		args[name] = value
	}
	return componentArgs(args, s.cfg.APIServerArgs)
}

func (s *server) controllerManagerArgs() []string {
	kubeconfig := s.path("cred/controller.kubeconfig")
	args := map[string]string{
		"allocate-node-cidrs": "true", "authentication-kubeconfig": kubeconfig, "authorization-kubeconfig": kubeconfig, "kubeconfig": kubeconfig,
		"bind-address": "127.0.0.1", "client-ca-file": s.path("tls/client-ca.crt"), "requestheader-client-ca-file": s.path("tls/request-header-ca.crt"),
		"cluster-cidr": s.cfg.ClusterCIDR, "controllers": "*,tokencleaner", "leader-elect": s.electsLeader(), "profiling": "false",
		"root-ca-file": s.path("tls/server-ca.crt"), "service-account-private-key-file": s.path("tls/service.current.key"),
		"service-cluster-ip-range": s.cfg.ServiceCIDR, "use-service-account-credentials": "true",
	}
	for signer, ca := range map[string]string{
		"kube-apiserver-client": "client-ca", "kubelet-client": "client-ca", "kubelet-serving": "server-ca", "legacy-unknown": "server-ca",
	} {
		args["cluster-signing-"+signer+"-cert-file"] = s.path("tls/" + ca + ".nochain.crt")
		args["cluster-signing-"+signer+"-key-file"] = s.path("tls/" + ca + ".key")
	}
	return componentArgs(args, s.cfg.ControllerManagerArgs)
}

func (s *server) schedulerArgs() []string {
	kubeconfig := s.path("cred/scheduler.kubeconfig")
	return componentArgs(map[string]string{
		"authentication-kubeconfig": kubeconfig, "authorization-kubeconfig": kubeconfig, "kubeconfig": kubeconfig,
		"bind-address": "127.0.0.1", "leader-elect": s.electsLeader(), "profiling": "false",
	}, s.cfg.SchedulerArgs)
}

// electsLeader says whether there can be other servers: a SQLite server is alone and need not wait for a lease of its own past.
func (s *server) electsLeader() string {
	return strconv.FormatBool(s.etcd != nil || s.cfg.DatastoreEndpoint != "")
}

// componentArgs turns defaults and the operator's key=value pairs into flags. A pair replaces the default of the same key.
func componentArgs(defaults map[string]string, pairs []string) []string {
	given := map[string]bool{}
	var last []string
	for _, pair := range pairs {
		pair = strings.TrimPrefix(pair, "--")
		key, _, _ := strings.Cut(pair, "=")
		given[key] = true
		last = append(last, "--"+pair)
	}
	var args []string
	for key, value := range defaults {
		if !given[key] {
			args = append(args, "--"+key+"="+value)
		}
	}
	sort.Strings(args)
	return append(args, last...)
}
