// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// server is one server of a cluster.
type server struct {
	cfg           *Config
	dir           string // <data>/server
	node          nodeIdentity
	password      string
	agentPassword string
	family        *family
	store         datastore
	etcd          *etcdMember // nil with kine
	listener      net.Listener
	clientCA      *authority
	serverCA      *authority
	rest          *rest.Config
	kube          kubernetes.Interface
	apiReady      atomic.Bool
}

func runServer(ctx context.Context, cfg *Config) error {
	s := &server{cfg: cfg, dir: filepath.Join(cfg.DataDir, "server"), family: newFamily(cfg.DataDir)}
	defer s.stop()
	logInfo("Starting k3s %s (%s)", version, commit)
	if cfg.ClusterReset {
		return s.resetCluster(ctx)
	}
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("starting kubernetes: preparing server: %w", err)
	}
	if err := s.startSupervisor(); err != nil {
		return err
	}
	if err := s.startControlPlane(ctx); err != nil {
		return err
	}
	if err := s.finishReset(ctx); err != nil {
		return err
	}
	if err := s.announce(); err != nil {
		return err
	}
	go s.runControllers(ctx)
	agentFailed := make(chan error, 1)
	if !cfg.DisableAgent {
		go func() { agentFailed <- s.runLocalAgent(ctx) }()
	}
	logInfo("k3s is up and running")
	notifyReady()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-agentFailed:
		if err == nil {
			<-ctx.Done()
		}
		return err
	}
}

// stop ends what needs the datastore before the datastore.
func (s *server) stop() {
	s.family.stop()
	if s.etcd != nil {
		s.etcd.stop()
	}
}

// prepare does everything up to a datastore that answers and certificates on disk.
func (s *server) prepare(ctx context.Context) error {
	var err error
	if !s.cfg.DisableAgent {
		if err := checkCgroups(); err != nil {
			return err
		}
	}
	if s.node, err = identifyNode(s.cfg); err != nil {
		return err
	}
	if err := s.makeDirectories(); err != nil {
		return err
	}
	if err := s.chooseToken(); err != nil {
		return err
	}
	if s.listener, err = listenShared(net.JoinHostPort(s.cfg.BindAddress, strconv.Itoa(s.cfg.HTTPSPort))); err != nil {
		return fmt.Errorf("init cluster datastore and https: %w", err)
	}
	if err := s.openDatastore(ctx); err != nil {
		return err
	}
	return s.writeFiles()
}

func (s *server) makeDirectories() error {
	for _, dir := range []string{"", "tls/etcd", "cred", "manifests", "static", "db"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o700); err != nil {
			return err
		}
	}
	return os.Chdir(s.dir)
}

// chooseToken takes the token given, else the one of the last start, else a new one.
func (s *server) chooseToken() (err error) {
	text := s.cfg.Token
	if text == "" {
		if stored, err := os.ReadFile(s.path("token")); err == nil {
			text = strings.TrimSpace(string(stored))
		}
	}
	if text == "" {
		text = randomHex(16)
	}
	if s.password, err = normalizeToken(text); err != nil {
		return err
	}
	s.agentPassword = s.password
	if s.cfg.AgentToken != "" {
		s.agentPassword, err = normalizeToken(s.cfg.AgentToken)
	}
	return err
}

// openDatastore decides which datastore this server has, from its disk before its flags.
func (s *server) openDatastore(ctx context.Context) error {
	if err := s.obeyTombstone(); err != nil {
		return err
	}
	joins := s.cfg.ServerURL != "" && s.cfg.Token != ""
	switch {
	case s.hasEtcdData():
		return s.resumeEtcd(ctx)
	case s.cfg.DatastoreEndpoint != "":
	case s.cfg.ServerURL != "" && s.cfg.ClusterInit && s.cfg.Token == "":
		return errors.New("K3S_TOKEN is required to join a cluster")
	case joins:
		return s.joinEtcd(ctx)
	case s.cfg.ClusterInit:
		return s.initEtcd(ctx)
	}
	endpoint := s.cfg.DatastoreEndpoint
	if endpoint == "" {
		endpoint = sqliteEndpoint
	}
	var err error
	if _, s.store, err = s.startKine(ctx, endpoint); err != nil {
		return err
	}
	return s.bootstrapFromStore(ctx)
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

// writeFiles derives from the shared secrets what lies on every server's disk.
func (s *server) writeFiles() (err error) {
	if s.clientCA, err = loadAuthority(s.path("tls/client-ca")); err != nil {
		return err
	}
	if s.serverCA, err = loadAuthority(s.path("tls/server-ca")); err != nil {
		return err
	}
	passwd := fmt.Sprintf("%s,node,node,k3s:agent\n%s,server,server,k3s:server\n", s.agentPassword, s.password)
	if err := writeFile(s.path("cred/passwd"), []byte(passwd), 0o600); err != nil {
		return err
	}
	for _, name := range []string{"client-ca", "server-ca"} {
		text, err := os.ReadFile(s.path("tls/" + name + ".crt"))
		if err != nil {
			return err
		}
		if err := writeFile(s.path("tls/"+name+".nochain.crt"), text, 0o644); err != nil {
			return err
		}
	}
	if err := s.obeyRegenerateTrigger(); err != nil {
		return err
	}
	if err := s.issueCertificates(); err != nil {
		return err
	}
	return s.writeTokens()
}

func (s *server) writeTokens() error {
	full := formatToken(s.serverCA.certPEM, "server", s.password)
	if err := writeFile(s.path("token"), []byte(full+"\n"), 0o600); err != nil {
		return err
	}
	if err := replaceLink(s.path("token"), s.path("node-token")); err != nil {
		return err
	}
	if s.agentPassword == s.password {
		return replaceLink(s.path("token"), s.path("agent-token"))
	}
	if err := os.RemoveAll(s.path("agent-token")); err != nil {
		return err
	}
	return writeFile(s.path("agent-token"), []byte(formatToken(s.serverCA.certPEM, "node", s.agentPassword)+"\n"), 0o600)
}

// startControlPlane starts apiserver, scheduler and controller manager, and waits until the first answers.
func (s *server) startControlPlane(ctx context.Context) error {
	if _, err := s.family.start(spawn{name: "kube-apiserver", args: s.apiServerArgs()}); err != nil {
		return err
	}
	logInfo("Waiting for API server to become available")
	if err := s.connectKube(); err != nil {
		return err
	}
	report := func(err error) { logInfo("Waiting for API server to become available: %.60s", err) } // the whole is a page of checks
	err := retry(ctx, time.Second, report, func() error {
		return s.kube.Discovery().RESTClient().Get().AbsPath("/readyz").Timeout(5 * time.Second).Do(ctx).Error()
	})
	if err != nil {
		return err
	}
	s.apiReady.Store(true)
	logInfo("Kube API server is now running")
	if s.etcd != nil {
		logInfo("ETCD server is now running")
	}
	if !s.cfg.DisableControllerManager {
		if _, err := s.family.start(spawn{name: "kube-controller-manager", args: s.controllerManagerArgs()}); err != nil {
			return err
		}
	}
	if !s.cfg.DisableScheduler {
		if _, err := s.family.start(spawn{name: "kube-scheduler", args: s.schedulerArgs()}); err != nil {
			return err
		}
	}
	return nil
}

// announce writes what an operator needs next: the kubeconfig, and how to join.
func (s *server) announce() error {
	url := fmt.Sprintf("https://%s", net.JoinHostPort(s.node.ip, strconv.Itoa(s.cfg.HTTPSPort)))
	logInfo("Server node token is available at %s", s.path("token"))
	logInfo("To join server node to cluster: k3s server -s %s -t ${SERVER_NODE_TOKEN}", url)
	logInfo("Agent node token is available at %s", s.path("agent-token"))
	logInfo("To join agent node to cluster: k3s agent -s %s -t ${AGENT_NODE_TOKEN}", url)
	return s.writeKubeconfig()
}

func (s *server) startSupervisor() error {
	handler, err := s.supervisorHandler()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 30 * time.Second, ErrorLog: quietLog,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	config, err := s.supervisorTLS()
	if err != nil {
		return err
	}
	server.TLSConfig = config
	go func() {
		if err := server.ServeTLS(s.listener, "", ""); err != nil {
			logFatal("supervisor: %v", err)
		}
	}()
	return nil
}
