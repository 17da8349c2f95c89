// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func named(t *testing.T, name string) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(name)) }))
	t.Cleanup(server.Close)
	return server
}

func ask(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestBalancerSurvivesTheLossOfAServer(t *testing.T) {
	first, second := named(t, "first"), named(t, "second")
	file := filepath.Join(t.TempDir(), "servers.json")
	cfg := &Config{ServerURL: first.URL, LBPort: freePort(t)}
	b, err := startBalancer(context.Background(), cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	defer b.listener.Close()
	address := func(server *httptest.Server) string { return strings.TrimPrefix(server.URL, "https://") }
	b.learn([]string{address(first), address(second)})
	if got := ask(t, b.url()); got != "first" {
		t.Errorf("got %s", got)
	}
	first.Close()
	if got := ask(t, b.url()); got != "second" {
		t.Errorf("after the loss: got %s", got)
	}
}

func TestBalancerRemembersServersWhenTheConfiguredOneIsDead(t *testing.T) {
	alive := named(t, "alive")
	file := filepath.Join(t.TempDir(), "servers.json")
	cfg := &Config{ServerURL: "https://127.0.0.1:1", LBPort: freePort(t)}
	text, err := json.Marshal(balancerState{cfg.ServerURL, []string{strings.TrimPrefix(alive.URL, "https://")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := startBalancer(context.Background(), cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	defer b.listener.Close()
	if got := ask(t, b.url()); got != "alive" {
		t.Errorf("got %s", got)
	}
}

func TestBalancerRefusesForeignSchemes(t *testing.T) {
	_, err := startBalancer(context.Background(), &Config{ServerURL: "http://x:6443"}, "")
	if err == nil || err.Error() != "only https:// URLs are supported, invalid scheme: http://x:6443" {
		t.Errorf("got %v", err)
	}
}
