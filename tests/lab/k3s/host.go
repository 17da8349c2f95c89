// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// nodeIdentity is what a node is called and where it is.
type nodeIdentity struct{ name, ip, hostname string }

func identifyNode(cfg *Config) (nodeIdentity, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return nodeIdentity{}, err
	}
	name := cfg.NodeName
	if name == "" {
		name = hostname
	}
	if cfg.WithNodeID {
		id, err := rememberedValue("id", 4)
		if err != nil {
			return nodeIdentity{}, err
		}
		name += "-" + id
	}
	ip := cfg.NodeIP
	if ip == "" {
		if ip, err = defaultAddress(); err != nil {
			return nodeIdentity{}, err
		}
	}
	return nodeIdentity{strings.ToLower(name), strings.Split(ip, ",")[0], hostname}, nil
}

// defaultAddress is the address this machine would use towards the internet; nothing is sent.
func defaultAddress() (string, error) {
	conn, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return "", fmt.Errorf("no default route to take the node's address from; set node-ip: %w", err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP.String(), nil
}

// rememberedValue reads /etc/rancher/node/NAME, made once from random bytes. It outlives an uninstallation of k3s.
func rememberedValue(name string, bytes int) (string, error) {
	path := filepath.Join(nodeConfigDir, name)
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(nodeConfigDir, 0o755); err != nil {
		return "", err
	}
	value := randomHex(bytes)
	return value, writeFile(path, []byte(value+"\n"), 0o600)
}

// checkCgroups refuses a kernel without what containers need, in k3s's words.
func checkCgroups() error {
	if controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		for _, name := range []string{"cpu", "cpuset", "memory"} {
			if !hasWord(string(controllers), name) {
				return fmt.Errorf("failed to find %s cgroup (v2)", name)
			}
		}
		return nil
	}
	text, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		return err
	}
	if !controllerEnabled(string(text), "memory") {
		return errors.New(`failed to find memory cgroup, you may need to add "cgroup_memory=1 cgroup_enable=memory" ` +
			`to your linux cmdline (/boot/cmdline.txt on a Raspberry Pi)`)
	}
	return nil
}

// checkInotify tells what containerd and the kubelet would only hint at. The kernel counts for root over all machines of a host.
func checkInotify() error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if errors.Is(err, unix.EMFILE) {
		return errors.New("no inotify instance is left (fs.inotify.max_user_instances counts over all machines of this host): " +
			"stop another lab, or raise the limit on the host")
	}
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func hasWord(text, word string) bool {
	for _, found := range strings.Fields(text) {
		if found == word {
			return true
		}
	}
	return false
}

// controllerEnabled looks a controller up in the text of /proc/cgroups: name, hierarchy, number, enabled.
func controllerEnabled(text, name string) bool {
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 4 && fields[0] == name {
			return fields[3] == "1"
		}
	}
	return false
}

// listenShared opens a port that kube-apiserver will share on an address of its own (loopbackAddress), after making sure that
// nothing else has it.
func listenShared(address string) (net.Listener, error) {
	probe, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	probe.Close()
	shared := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	listener, err := shared.Listen(context.Background(), "tcp", address)
	return strictListener{listener}, err
}

// strictListener hangs up on who meant kube-apiserver. While that is not listening yet, its address leads to the wildcard listener,
// and the supervisor would pass such a request on to itself.
type strictListener struct{ net.Listener }

func (l strictListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !conn.LocalAddr().(*net.TCPAddr).IP.Equal(net.ParseIP(loopbackAddress)) {
			return conn, err
		}
		conn.Close()
	}
}
