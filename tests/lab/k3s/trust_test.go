// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testAuthority(t *testing.T) *authority {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca")
	certificate, key, err := newAuthority("test-ca", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path+".crt", certificate, 0o600), os.WriteFile(path+".key", key, 0o600)); err != nil {
		t.Fatal(err)
	}
	ca, err := loadAuthority(path)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestParseToken(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for text, want := range map[string]token{
		"secret":                            {password: "secret"},
		"K10" + hash + "::server:pass:word": {hash, "server", "pass:word"},
		"K10secret":                         {password: "K10secret"},
	} {
		if got, err := parseToken(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "token must not be empty", "K10abc::server:x": "invalid token CA hash length", "K10" + hash + "::server": "invalid token format",
	} {
		if _, err := parseToken(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestNormalizeToken(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	if got, err := normalizeToken("K10" + hash + "::server:pw"); err != nil || got != "pw" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, text := range []string{"a::b", "K10abc::server:pw", "K10" + hash + "::server"} {
		if _, err := normalizeToken(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestTokenCarriesTheHashOfTheCAText(t *testing.T) {
	ca := testAuthority(t)
	parsed, err := parseToken(formatToken(ca.certPEM, "server", "pw"))
	if err != nil || parsed.caHash != caHash(ca.certPEM) || parsed.password != "pw" {
		t.Errorf("got %v, %v", parsed, err)
	}
	other := testAuthority(t)
	chain := append(append([]byte{}, other.certPEM...), ca.certPEM...)
	again := append(append([]byte{}, testAuthority(t).certPEM...), ca.certPEM...)
	if caHash(chain) != caHash(again) {
		t.Error("the hash of a chain has to be that of its root alone")
	}
}

func TestBundleOpensOnlyWithItsPassword(t *testing.T) {
	sealed, err := bundle{"tls/x.key": []byte("secret")}.seal("right")
	if err != nil {
		t.Fatal(err)
	}
	files, err := openBundle("right", sealed)
	if err != nil || string(files["tls/x.key"]) != "secret" {
		t.Errorf("got %v, %v", files, err)
	}
	if _, err := openBundle("wrong", sealed); !errors.Is(err, errDifferentToken) {
		t.Errorf("got %v", err)
	}
}

func TestBundleStaysInsideItsDirectory(t *testing.T) {
	if err := (bundle{"../escape.key": []byte("x")}).write(t.TempDir()); err == nil {
		t.Error("a path outside was written")
	}
}

func TestNodePasswordHash(t *testing.T) {
	hash, err := passwordHash("pw", "aabb")
	if err != nil || !strings.HasPrefix(hash, "$1:aabb:15:8:1:") {
		t.Fatalf("got %s, %v", hash, err)
	}
	if err := verifyPasswordHash(hash, "pw"); err != nil {
		t.Error(err)
	}
	if verifyPasswordHash(hash, "other") == nil || verifyPasswordHash("nonsense", "pw") == nil {
		t.Error("a wrong password or hash was taken")
	}
}

func TestEnsureKeepsAGoodCertificateAndRenewsOthers(t *testing.T) {
	ca := testAuthority(t)
	path := filepath.Join(t.TempDir(), "leaf")
	read := func(want leaf) string {
		t.Helper()
		if err := ca.ensure(path, want); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path + ".crt")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := read(leaf{name: "a", names: []string{"host", "10.0.0.1"}})
	if read(leaf{name: "a", names: []string{"host", "10.0.0.1"}}) != first {
		t.Error("a good certificate was replaced")
	}
	if read(leaf{name: "a", names: []string{"host", "10.0.0.2"}}) == first {
		t.Error("new names did not give a new certificate")
	}
}

func TestOldCertificatesAreNotGoodAnyMore(t *testing.T) {
	ca := testAuthority(t)
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	want := leaf{name: "a"}
	text, err := ca.sign(want, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if !ca.stillGood(text, want, key, time.Now()) || ca.stillGood(text, want, key, time.Now().Add(leafLife-renewBefore+time.Hour)) {
		t.Error("a certificate has to be renewed 120 days before its end, and not earlier")
	}
	if testAuthority(t).stillGood(text, want, key, time.Now()) {
		t.Error("another CA's certificate was taken")
	}
}

func supervised(t *testing.T) *server {
	return &server{cfg: &Config{ServiceCIDR: "10.43.0.0/16"}, clientCA: testAuthority(t), password: "server-pw", agentPassword: "agent-pw"}
}

func TestSupervisorLetsOnlyTheRightCallersThrough(t *testing.T) {
	s := supervised(t)
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	for _, example := range []struct {
		user, password string
		groups         []string
		want           int
	}{
		{"node", "agent-pw", []string{groupAgent}, 204},
		{"server", "server-pw", []string{groupServer}, 204},
		{"node", "server-pw", []string{groupAgent}, 401},
		{"node", "agent-pw", []string{groupServer}, 403},
		{"", "", []string{groupAgent}, 401},
		{"root", "server-pw", []string{groupServer}, 401},
	} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		if example.user != "" {
			request.SetBasicAuth(example.user, example.password)
		}
		answer := httptest.NewRecorder()
		s.only(example.groups, ok)(answer, request)
		if answer.Code != example.want {
			t.Errorf("%+v: got %d", example, answer.Code)
		}
	}
}

func TestSupervisorKnowsNodesByTheirCertificate(t *testing.T) {
	s := supervised(t)
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{clientCertificate(t, s.clientCA)}}
	if who := s.identify(request); who == nil || who.name != "system:node:a" || who.groups[0] != groupNodes {
		t.Errorf("got %v", who)
	}
	request.TLS.PeerCertificates[0] = clientCertificate(t, testAuthority(t))
	if who := s.identify(request); who != nil {
		t.Errorf("a stranger's certificate was believed: %v", who)
	}
}

func clientCertificate(t *testing.T, ca *authority) *x509.Certificate {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := ca.sign(leaf{name: "system:node:a", groups: []string{groupNodes}}, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestProxyDropsForeignClaims(t *testing.T) {
	header := http.Header{"X-Remote-User": {"system:admin"}, "x-remote-group": {"system:masters"}, "X-Remote-Extra-A": {"b"}, "Accept": {"x"}}
	dropClaims(header)
	if len(header) != 1 || header.Get("Accept") != "x" {
		t.Errorf("left: %v", header)
	}
}

func TestVerifyNodeRefusals(t *testing.T) {
	s := supervised(t)
	for _, example := range []struct {
		name, password, want string
	}{
		{"", "", "node name not set"}, {"a", "", "node password not set"}, {"a", "b", "apiserver not ready"},
	} {
		request := httptest.NewRequest(http.MethodPost, "/", nil)
		request.Header.Set(headerNodeName, example.name)
		request.Header.Set(headerNodePassword, example.password)
		if _, err := s.verifyNode(request); err == nil || err.Error() != example.want {
			t.Errorf("%+v: got %v", example, err)
		}
	}
}
