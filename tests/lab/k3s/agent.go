// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// agent is the part of a node, server or not, that runs pods.
type agent struct {
	cfg      *Config
	dir      string // <data>/agent
	node     nodeIdentity
	password string // of the node, not of the cluster
	family   *family
	way      *access
	apiURL   string
	cluster  clusterConfig
	kube     kubernetes.Interface
}

// runAgentCommand is a node that joins through the server it is told, and afterwards through any it knows.
func runAgentCommand(ctx context.Context, cfg *Config) error {
	a := &agent{cfg: cfg, dir: filepath.Join(cfg.DataDir, "agent"), family: newFamily(cfg.DataDir)}
	defer a.family.stop()
	if _, err := os.Stat(a.path("client-kubelet.key")); cfg.Token == "" && err != nil {
		return errors.New("--token is required")
	}
	logInfo("Starting k3s agent %s (%s)", version, commit)
	if err := checkCgroups(); err != nil {
		return err
	}
	if err := a.prepare(); err != nil {
		return err
	}
	balancer, err := startBalancer(ctx, cfg, a.path("etc/k3s-agent-load-balancer.json"))
	if err != nil {
		return err
	}
	a.apiURL = balancer.url()
	if err := a.findCluster(ctx, balancer.url()); err != nil {
		return err
	}
	if err := a.run(ctx, func() {
		go balancer.follow(ctx, a.way)
		logInfo("k3s agent is up and running")
		notifyReady()
	}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// runLocalAgent is the node of a server: it asks its own supervisor.
func (s *server) runLocalAgent(ctx context.Context) error {
	a := &agent{cfg: s.cfg, dir: filepath.Join(s.cfg.DataDir, "agent"), family: s.family}
	if err := a.prepare(); err != nil {
		return err
	}
	a.apiURL = fmt.Sprintf("https://127.0.0.1:%d", s.cfg.HTTPSPort)
	way, err := newAccess(a.apiURL, s.serverCA.certPEM, "node", s.agentPassword)
	if err != nil {
		return err
	}
	a.way = way
	return a.run(ctx, func() {})
}

func (a *agent) path(name string) string { return filepath.Join(a.dir, name) }

func (a *agent) prepare() (err error) {
	if a.node, err = identifyNode(a.cfg); err != nil {
		return err
	}
	for _, dir := range []string{"", "etc/containerd", "etc/kubelet.conf.d", "etc/cni/net.d", "images", "containerd"} {
		if err := os.MkdirAll(a.path(dir), 0o700); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(a.path("pod-manifests"), 0o750); err != nil {
		return err
	}
	a.password, err = rememberedValue("password", 16)
	return err
}

// findCluster repeats until a server with the right CA answers. A wrong token keeps it here for ever, as it keeps k3s.
func (a *agent) findCluster(ctx context.Context, url string) error {
	if a.cfg.Token == "" { // joined before: the certificates on disk speak for the node
		caPEM, err := os.ReadFile(a.path("server-ca.crt"))
		if err != nil {
			return errors.New("--token is required")
		}
		a.way, err = newAccess(url, caPEM, "", "")
		return err
	}
	report := func(err error) { logError("Failed to validate connection to cluster at %s: %v", a.cfg.ServerURL, err) }
	return retry(ctx, 2*time.Second, report, func() (err error) {
		a.way, err = connect(ctx, url, a.cfg.Token, "node")
		return err
	})
}

// run brings the node up and calls ready once it is part of the cluster.
func (a *agent) run(ctx context.Context, ready func()) error {
	if err := a.startContainerd(ctx); err != nil {
		return err
	}
	if err := a.readCluster(ctx); err != nil {
		return err
	}
	if err := a.fetchCertificates(ctx); err != nil {
		return err
	}
	a.importImages(ctx)
	if err := a.connectKube(); err != nil {
		return err
	}
	if err := a.startKubelet(); err != nil {
		return err
	}
	if !a.cluster.DisableKubeProxy {
		if err := a.startKubeProxy(); err != nil {
			return err
		}
	}
	if err := a.describeNode(ctx); err != nil {
		return err
	}
	if err := a.startNetwork(ctx); err != nil {
		return err
	}
	ready()
	return nil
}

func (a *agent) readCluster(ctx context.Context) error {
	report := func(err error) {
		logInfo("Waiting to retrieve agent configuration; server is not ready: failed to retrieve configuration from server: %v", err)
	}
	return retry(ctx, 5*time.Second, report, func() error {
		way := a.way
		if pair, err := a.ownCertificate(); err == nil {
			if way, err = a.way.withCertificate(pair); err != nil {
				return err
			}
		}
		text, err := way.get(ctx, "/v1-k3s/config")
		if statusCode(err) == http.StatusUnauthorized && way != a.way && a.way.password != "" {
			text, err = a.way.get(ctx, "/v1-k3s/config")
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &a.cluster)
	})
}

func (a *agent) ownCertificate() (tls.Certificate, error) {
	return tls.LoadX509KeyPair(a.path("client-kubelet.crt"), a.path("client-kubelet.key"))
}

// fetchCertificates gets everything the node proves itself with; it does so at every start.
func (a *agent) fetchCertificates(ctx context.Context) error {
	for _, name := range []string{"client-ca.crt", "server-ca.crt"} {
		if err := a.fetchFile(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range []string{"serving-kubelet", "client-kubelet", "client-kube-proxy", "client-k3s-controller"} {
		report := func(err error) { reportCertificateError(name, err) }
		if err := retry(ctx, 5*time.Second, report, func() error { return a.fetchCertificate(ctx, name) }); err != nil {
			return err
		}
	}
	for name, certificate := range map[string]string{
		"kubelet": "client-kubelet", "kubeproxy": "client-kube-proxy", "k3scontroller": "client-k3s-controller",
	} {
		config := kubeconfigOfFiles(a.apiURL, a.path("server-ca.crt"), a.path(certificate))
		if err := writeKubeconfigFile(a.path(name+".kubeconfig"), config); err != nil {
			return err
		}
	}
	return nil
}

func reportCertificateError(name string, err error) {
	switch statusCode(err) {
	case http.StatusForbidden:
		logInfo("Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate hostname or contents of " +
			"'/etc/rancher/node/password' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag")
	case http.StatusUnauthorized:
		logInfo("Waiting to retrieve agent configuration; server is not ready: %s.crt: not authorized", name)
	default:
		logInfo("Waiting to retrieve agent configuration; server is not ready: %s.crt: %v", name, err)
	}
}

func (a *agent) fetchFile(ctx context.Context, name string) error {
	report := func(err error) {
		logInfo("Waiting to retrieve agent configuration; server is not ready: failed to retrieve configuration from server: %v", err)
	}
	return retry(ctx, 5*time.Second, report, func() error {
		text, err := a.asNode(func(way *access) ([]byte, error) { return way.get(ctx, "/v1-k3s/"+name) })
		if err != nil {
			return err
		}
		return writeFile(a.path(name), text, 0o600)
	})
}

// asNode tries the node's own certificate first, and the token where that is refused.
func (a *agent) asNode(request func(*access) ([]byte, error)) ([]byte, error) {
	pair, err := a.ownCertificate()
	if err != nil {
		return request(a.way)
	}
	way, err := a.way.withCertificate(pair)
	if err != nil {
		return nil, err
	}
	text, err := request(way)
	if statusCode(err) == http.StatusUnauthorized && a.way.password != "" {
		logInfo("Node authorization rejected, retrying without client certificate authentication")
		return request(a.way)
	}
	return text, err
}

func (a *agent) fetchCertificate(ctx context.Context, name string) error {
	key, err := ensureKey(a.path(name + ".key"))
	if err != nil {
		return err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: a.node.name}}
	request, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return err
	}
	headers := map[string]string{headerNodeName: a.node.name, headerNodePassword: a.password, headerNodeIP: a.addresses()}
	text, err := a.asNode(func(way *access) ([]byte, error) {
		return way.do(ctx, http.MethodPost, "/v1-k3s/"+name+".crt", request, headers)
	})
	if err != nil {
		return err
	}
	return writeFile(a.path(name+".crt"), text, 0o600)
}

func (a *agent) addresses() string {
	addresses := []string{a.node.ip}
	if a.cfg.NodeExternalIP != "" {
		addresses = append(addresses, a.cfg.NodeExternalIP)
	}
	return strings.Join(addresses, ",")
}

func (a *agent) connectKube() error {
	config, err := clientcmd.BuildConfigFromFlags("", a.path("k3scontroller.kubeconfig"))
	if err != nil {
		return err
	}
	a.kube, err = kubernetes.NewForConfig(config)
	return err
}
