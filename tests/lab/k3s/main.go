// SPDX-License-Identifier: GPL-3.0-or-later

// Command k3s is a double of k3s for tests: its interface, around upstream Kubernetes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/spf13/pflag"
)

// Set by the linker.
var (
	version = "v0.0.0+k3s1"
	commit  = "00000000"
)

func main() {
	name := filepath.Base(os.Args[0])
	if name == "crictl" || name == "ctr" || isComponent(name) {
		os.Exit(runTool(name, os.Args[1:]))
	}
	err := run(name, os.Args[1:])
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, pflag.ErrHelp) {
		logFatal("%v", err)
	}
}

func run(name string, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command given; one of server, agent, token, certificate, etcd-snapshot, kubectl, crictl, ctr, --version is expected")
	}
	switch args[0] {
	case "--version", "-v", "version":
		fmt.Printf("%s version %s (%s)\ngo version %s\n", name, version, commit, runtime.Version())
		return nil
	case "server", "agent":
		return runDaemon(args[0], args[1:])
	case "etcd-snapshot":
		return runEtcdSnapshot(args[1:])
	case "token":
		return runTokenCommand(context.Background(), args[1:])
	case "certificate":
		return runCertificateCommand(args[1:])
	case "kubectl", "crictl", "ctr":
		os.Exit(runTool(args[0], args[1:]))
	}
	return fmt.Errorf("command %q is not part of this double of k3s", args[0])
}

// runDaemon runs the server or the agent until a signal or a fatal error ends it.
func runDaemon(role string, args []string) error {
	cfg, err := readConfig(role, args)
	if err != nil {
		return err
	}
	if err := requireRoot(cfg); err != nil {
		return err
	}
	if err := unpackAndReplaceProcess(cfg.DataDir); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if role == "server" {
		return runServer(ctx, cfg)
	}
	return runAgentCommand(ctx, cfg)
}

func requireRoot(cfg *Config) error {
	switch {
	case os.Geteuid() == 0 || cfg.DisableAgent:
		return nil
	case cfg.Role == "server":
		return errors.New("server must run as root, or with --rootless and/or --disable-agent")
	}
	return errors.New("agent requires additional privilege if not run with --rootless")
}

// runTool is a command line tool of the node; none of them needs the unpacked files.
func runTool(name string, args []string) int {
	switch name {
	case "kubectl":
		useClusterKubeconfig(args)
	case "crictl":
		return runCrictl(args)
	case "ctr":
		argv := append([]string{"ctr", "--address", containerdSocket, "--namespace", "k8s.io"}, args...)
		err := syscall.Exec("/usr/bin/ctr", argv, os.Environ())
		logFatal("ctr: %v", err)
	}
	return runComponent(name, args)
}

// useClusterKubeconfig points kubectl at this node's k3s unless the caller chose something else.
func useClusterKubeconfig(args []string) {
	for _, arg := range args {
		if arg == "--kubeconfig" || len(arg) > 13 && arg[:13] == "--kubeconfig=" {
			return
		}
	}
	if os.Getenv("KUBECONFIG") != "" {
		return
	}
	file, err := os.Open(defaultKubeconfig)
	if err != nil {
		logWarn("Unable to read %s, please start server with --write-kubeconfig-mode or "+
			"--write-kubeconfig-group to modify kube config permissions", defaultKubeconfig)
		return
	}
	file.Close()
	os.Setenv("KUBECONFIG", defaultKubeconfig)
}
