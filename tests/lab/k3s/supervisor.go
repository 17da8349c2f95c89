// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The groups a caller of the supervisor can be in.
const (
	groupAgent  = "k3s:agent"
	groupServer = "k3s:server"
	groupNodes  = "system:nodes"
)

// quietLog drops what net/http says about every connection that a client broke off.
var quietLog = log.New(io.Discard, "", 0)

// caller is who sent a request, as far as the supervisor knows.
type caller struct {
	name   string
	groups []string
}

func (s *server) supervisorTLS() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(s.path("tls/serving-k3s.crt"), s.path("tls/serving-k3s.key"))
	if err != nil {
		return nil, err
	}
	// Certificates are asked for and checked per request: a stranger's must end in 401, as at kube-apiserver, and not in a TLS alert.
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}, nil
}

func (s *server) supervisorHandler() (http.Handler, error) {
	proxy, err := s.newAPIProxy()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("pong")) })
	mux.HandleFunc("GET /cacerts", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.serverCA.certPEM) })
	agents := []string{groupAgent, groupServer, groupNodes}
	routes := []struct {
		pattern string
		groups  []string
		handler http.HandlerFunc
	}{
		{"GET /v1-k3s/config", agents, s.serveConfig},
		{"GET /v1-k3s/readyz", agents, s.serveReady},
		{"GET /v1-k3s/client-ca.crt", agents, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.clientCA.certPEM) }},
		{"GET /v1-k3s/server-ca.crt", agents, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.serverCA.certPEM) }},
		{"GET /v1-k3s/apiservers", agents, s.serveAPIServers},
		{"POST /v1-k3s/serving-kubelet.crt", agents, s.serveServingKubelet},
		{"POST /v1-k3s/client-kubelet.crt", agents, s.serveClientKubelet},
		{"POST /v1-k3s/client-kube-proxy.crt", agents, s.signFor(leaf{name: "system:kube-proxy"})},
		{"POST /v1-k3s/client-k3s-controller.crt", agents, s.signFor(leaf{name: "system:k3s-controller"})},
		{"GET /v1-k3s/server-bootstrap", []string{groupServer}, s.serveBootstrap},
		{"PUT /v1-k3s/token", []string{groupServer}, s.serveToken},
		{"GET /db/info", []string{groupServer}, s.serveMembers},
	}
	for _, route := range routes {
		mux.HandleFunc(route.pattern, s.only(route.groups, route.handler))
	}
	if s.etcd != nil {
		mux.HandleFunc("POST /db/snapshot", s.only([]string{groupServer}, s.serveSnapshots))
	}
	mux.Handle("/", proxy)
	return mux, nil
}

// only lets callers of the groups through.
func (s *server) only(groups []string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who := s.identify(r)
		if who == nil {
			if _, _, given := r.BasicAuth(); given {
				logError("Failed to authenticate request from %s: invalid username/password combination", r.RemoteAddr)
			}
			fail(w, http.StatusUnauthorized, "not authorized")
			return
		}
		for _, group := range who.groups {
			if slices.Contains(groups, group) {
				next(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
				return
			}
		}
		fail(w, http.StatusForbidden, "forbidden")
	}
}

type callerKey struct{}

func callerOf(r *http.Request) *caller { return r.Context().Value(callerKey{}).(*caller) }

// identify answers who the caller is by certificate or token, or nil.
func (s *server) identify(r *http.Request) *caller {
	if who := s.identifyByCertificate(r); who != nil {
		return who
	}
	user, password, given := r.BasicAuth()
	switch {
	case given && user == "node" && samePassword(password, s.agentPassword):
		return &caller{"node", []string{groupAgent}}
	case given && user == "server" && samePassword(password, s.password):
		return &caller{"server", []string{groupServer}}
	}
	return nil
}

func samePassword(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (s *server) identifyByCertificate(r *http.Request) *caller {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	certificate := r.TLS.PeerCertificates[0]
	pool := x509.NewCertPool()
	pool.AddCert(s.clientCA.certificate)
	_, err := certificate.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil || certificate.Subject.CommonName == "" {
		return nil
	}
	return &caller{certificate.Subject.CommonName, certificate.Subject.Organization}
}

// fail answers as kube-apiserver answers, with a Status object.
func fail(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Message: message, Code: int32(code),
	})
}

func answerJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// clusterConfig is what every node of a cluster has to agree on.
type clusterConfig struct {
	ClusterCIDR      string `json:"cluster-cidr"`
	ServiceCIDR      string `json:"service-cidr"`
	ClusterDNS       string `json:"cluster-dns"`
	ClusterDomain    string `json:"cluster-domain"`
	DisableServiceLB bool   `json:"disable-service-lb"`
	DisableKubeProxy bool   `json:"disable-kube-proxy"`
}

func (s *server) clusterConfig() clusterConfig {
	return clusterConfig{
		s.cfg.ClusterCIDR, s.cfg.ServiceCIDR, s.cfg.ClusterDNS, s.cfg.ClusterDomain, s.cfg.disabled("servicelb"), s.cfg.DisableKubeProxy,
	}
}

// mismatches names the settings in which two servers of one cluster differ and must not.
func (c clusterConfig) mismatches(other clusterConfig) []string {
	var names []string
	for _, pair := range []struct {
		name  string
		equal bool
	}{
		{"cluster-cidr", c.ClusterCIDR == other.ClusterCIDR}, {"service-cidr", c.ServiceCIDR == other.ServiceCIDR},
		{"cluster-dns", c.ClusterDNS == other.ClusterDNS}, {"cluster-domain", c.ClusterDomain == other.ClusterDomain},
		{"disable-service-lb", c.DisableServiceLB == other.DisableServiceLB},
	} {
		if !pair.equal {
			names = append(names, pair.name)
		}
	}
	return names
}

func (s *server) serveConfig(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, s.clusterConfig())
}

func (s *server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if !s.apiReady.Load() {
		fail(w, http.StatusServiceUnavailable, "apiserver not ready")
		return
	}
	_, _ = w.Write([]byte("ok"))
}

// serveAPIServers lists the servers that kube-apiserver itself knows to be alive.
func (s *server) serveAPIServers(w http.ResponseWriter, r *http.Request) {
	if !s.apiReady.Load() {
		fail(w, http.StatusServiceUnavailable, "apiserver not ready")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	slice, err := s.kube.DiscoveryV1().EndpointSlices("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	addresses := []string{}
	for _, endpoint := range slice.Endpoints {
		for _, address := range endpoint.Addresses {
			for _, port := range slice.Ports {
				addresses = append(addresses, net.JoinHostPort(address, strconv.Itoa(int(*port.Port))))
			}
		}
	}
	answerJSON(w, addresses)
}

func (s *server) serveBootstrap(w http.ResponseWriter, _ *http.Request) {
	if s.etcd == nil {
		fail(w, http.StatusBadRequest, "etcd disabled")
		return
	}
	files, err := readBundle(s.dir)
	if err != nil {
		logError("bootstrap data: %v", err)
		fail(w, http.StatusInternalServerError, "bootstrap data cannot be read, see server log for details")
		return
	}
	answerJSON(w, files)
}

func (s *server) serveMembers(w http.ResponseWriter, r *http.Request) {
	if s.etcd == nil {
		fail(w, http.StatusBadRequest, "etcd disabled")
		return
	}
	members, err := s.etcd.members(r.Context())
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answerJSON(w, members)
}
