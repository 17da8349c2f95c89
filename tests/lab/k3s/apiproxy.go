// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// newAPIProxy passes requests on to the local kube-apiserver. A caller with a certificate is vouched for in request headers, as by any
// front proxy; a bearer token goes through as it is. HTTP/1.1 inside, since exec and port-forward need its upgrades.
func (s *server) newAPIProxy() (http.Handler, error) {
	target, err := url.Parse(s.loopbackURL())
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.serverCA.certificate)
	voucher, err := tls.LoadX509KeyPair(s.path("tls/client-auth-proxy.crt"), s.path("tls/client-auth-proxy.key"))
	if err != nil {
		return nil, err
	}
	plain := newProxy(target, &tls.Config{RootCAs: roots})
	vouched := newProxy(target, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{voucher}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dropClaims(r.Header)
		who := s.identifyByCertificate(r)
		if who == nil {
			plain.ServeHTTP(w, r)
			return
		}
		r.Header.Set("X-Remote-User", who.name)
		r.Header["X-Remote-Group"] = who.groups
		vouched.ServeHTTP(w, r)
	}), nil
}

// dropClaims removes the headers with which only the proxy itself may speak.
func dropClaims(header http.Header) {
	for name := range header {
		if strings.HasPrefix(http.CanonicalHeaderKey(name), "X-Remote-") {
			delete(header, name)
		}
	}
}

func newProxy(target *url.URL, config *tls.Config) *httputil.ReverseProxy {
	config.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			TLSClientConfig: config, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
			MaxIdleConnsPerHost: 512, IdleConnTimeout: 90 * time.Second, DisableCompression: true,
			WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10,
		},
		FlushInterval: -1, // watches and logs must not wait for a full buffer
		BufferPool:    buffers,
		ErrorLog:      quietLog,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				fail(w, http.StatusServiceUnavailable, "apiserver not ready")
			}
		},
	}
}

type bufferPool struct{ sync.Pool }

var buffers = &bufferPool{sync.Pool{New: func() any { return make([]byte, 32<<10) }}}

func (p *bufferPool) Get() []byte  { return p.Pool.Get().([]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(b) } //nolint:staticcheck // one small allocation per request is nothing here
