// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"
)

// balancer is an agent's local way to the cluster: a TCP proxy over all servers it has heard of, so that the loss of the one it joined
// through, or a restart while that one is down, does not cut it off.
type balancer struct {
	file       string
	configured string // the server from the configuration, as written there
	first      string // the same as host and port
	listener   net.Listener

	mutex   sync.Mutex
	servers []string // the one in use first
	conns   map[net.Conn]string
}

// balancerState is the file that survives a restart.
type balancerState struct {
	ServerURL       string
	ServerAddresses []string
}

func startBalancer(ctx context.Context, cfg *Config, file string) (*balancer, error) {
	address, err := url.Parse(cfg.ServerURL)
	if err != nil || address.Host == "" {
		return nil, fmt.Errorf("invalid server url, failed to parse: %s", cfg.ServerURL)
	}
	if address.Scheme != "https" {
		return nil, fmt.Errorf("only https:// URLs are supported, invalid scheme: %s", cfg.ServerURL)
	}
	first := address.Host
	if address.Port() == "" {
		first = net.JoinHostPort(address.Hostname(), "443")
	}
	b := &balancer{file: file, configured: cfg.ServerURL, first: first, servers: []string{first}, conns: map[net.Conn]string{}}
	b.recall()
	if b.listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", cfg.LBPort)); err != nil {
		return nil, err
	}
	logInfo("Running load balancer k3s-agent-load-balancer %s -> %v [default: %s]", b.listener.Addr(), b.servers, first)
	go b.accept()
	go b.checkHealth(ctx)
	return b, nil
}

// recall adds the servers of the last run, if the configuration still names the same first one.
func (b *balancer) recall() {
	var state balancerState
	if text, err := os.ReadFile(b.file); err == nil && json.Unmarshal(text, &state) == nil && state.ServerURL == b.configured {
		for _, server := range state.ServerAddresses {
			if !slices.Contains(b.servers, server) {
				b.servers = append(b.servers, server)
			}
		}
	}
}

func (b *balancer) url() string { return "https://" + b.listener.Addr().String() }

func (b *balancer) accept() {
	for {
		conn, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go b.serve(conn)
		}
	}
}

func (b *balancer) serve(client net.Conn) {
	defer client.Close()
	upstream, server := b.dial()
	if upstream == nil {
		return
	}
	defer upstream.Close()
	b.mutex.Lock()
	b.conns[upstream] = server
	b.mutex.Unlock()
	defer func() {
		b.mutex.Lock()
		delete(b.conns, upstream)
		b.mutex.Unlock()
	}()
	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go pipe(upstream, client)
	go pipe(client, upstream)
	<-done
}

// dial connects to the server in use or, if it does not answer, to the next that does, which then is the one in use.
func (b *balancer) dial() (net.Conn, string) {
	for _, server := range b.known() {
		conn, err := net.DialTimeout("tcp", server, 2*time.Second)
		if err == nil {
			return conn, server
		}
		b.demote(server)
	}
	return nil, ""
}

func (b *balancer) known() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return slices.Clone(b.servers)
}

// demote puts a server that failed last.
func (b *balancer) demote(server string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.servers = toEnd(b.servers, server)
}

func toEnd(list []string, item string) []string {
	i := slices.Index(list, item)
	if i < 0 {
		return list
	}
	return append(slices.Delete(slices.Clone(list), i, i+1), item)
}

// checkHealth breaks the connections to a server that accepts nothing any more: a machine without power sends no farewell.
func (b *balancer) checkHealth(ctx context.Context) {
	failures := map[string]int{}
	for {
		select {
		case <-ctx.Done():
			b.listener.Close()
			return
		case <-time.After(3 * time.Second):
		}
		for _, server := range b.inUse() {
			if answers(server) {
				delete(failures, server)
				continue
			}
			if failures[server]++; failures[server] >= 2 {
				logWarn("Server %s does not answer, closing its connections", server)
				b.demote(server)
				b.drop(server)
			}
		}
	}
}

// answers asks for /ping: any answer at all will do.
func answers(server string) bool {
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", server, &tls.Config{InsecureSkipVerify: true}) // liveness only, nothing is said or believed
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (b *balancer) inUse() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var servers []string
	for _, server := range b.conns {
		if !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	return servers
}

func (b *balancer) drop(server string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for conn, to := range b.conns {
		if to == server {
			conn.Close()
		}
	}
}

// follow keeps the list of servers as the cluster tells it.
func (b *balancer) follow(ctx context.Context, way *access) {
	for {
		if text, err := way.get(ctx, "/v1-k3s/apiservers"); err == nil {
			var servers []string
			if json.Unmarshal(text, &servers) == nil && len(servers) > 0 {
				b.learn(servers)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Second):
		}
	}
}

// learn takes over a list of servers, keeping the order in which they worked; the configured one stays as the last resort.
func (b *balancer) learn(servers []string) {
	b.mutex.Lock()
	next := mergeServers(b.servers, servers, b.first)
	changed := !slices.Equal(sorted(next), sorted(b.servers))
	b.servers = next
	b.mutex.Unlock()
	if !changed {
		return
	}
	logInfo("Updated load balancer k3s-agent-load-balancer server addresses -> %v", next)
	text, err := json.Marshal(balancerState{b.configured, next})
	if err == nil {
		err = writeFile(b.file, text, 0o600)
	}
	if err != nil {
		logWarn("load balancer state: %v", err)
	}
}

func mergeServers(old, told []string, first string) []string {
	var merged []string
	for _, server := range old {
		if slices.Contains(told, server) {
			merged = append(merged, server)
		}
	}
	for _, server := range append(slices.Clone(told), first) {
		if !slices.Contains(merged, server) {
			merged = append(merged, server)
		}
	}
	return merged
}

func sorted(list []string) []string {
	copied := slices.Clone(list)
	slices.Sort(copied)
	return copied
}
