// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const containerdSocket = "/run/k3s/containerd/containerd.sock"

func (a *agent) startContainerd(ctx context.Context) error {
	if err := checkInotify(); err != nil {
		return err
	}
	for _, program := range []string{"containerd", "containerd-shim-runc-v2", "runc"} {
		if _, err := os.Stat(filepath.Join(a.family.bin, program)); err != nil {
			return fmt.Errorf("%s is missing: install the Debian packages containerd and runc", program)
		}
	}
	if err := os.MkdirAll(filepath.Dir(containerdSocket), 0o711); err != nil {
		return err
	}
	config := a.path("etc/containerd/config.toml")
	if err := writeFile(config, []byte(a.containerdConfig()), 0o600); err != nil {
		return err
	}
	crictl := "runtime-endpoint: unix://" + containerdSocket + "\n"
	if err := writeFile(a.path("etc/crictl.yaml"), []byte(crictl), 0o600); err != nil {
		return err
	}
	_, err := a.family.start(spawn{
		name: "containerd", log: a.path("containerd/containerd.log"),
		args: []string{"--config", config, "--address", containerdSocket, "--root", a.path("containerd"), "--state", "/run/k3s/containerd"},
	})
	if err != nil {
		return err
	}
	logInfo("Running containerd --config %s", config)
	patience, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = retry(patience, 200*time.Millisecond, nil, func() error { return a.ctr(patience, nil, "version") })
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("containerd does not answer on %s; see %s", containerdSocket, a.path("containerd/containerd.log"))
	}
	return err
}

func (a *agent) containerdConfig() string {
	return fmt.Sprintf(`version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = %t
  disable_apparmor = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = %q
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = %q
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
`, a.cfg.PauseImage, !mayLowerOOMScore(), a.path("etc/cni/net.d"), a.cfg.Snapshotter)
}

// mayLowerOOMScore says whether this process has CAP_SYS_RESOURCE, without which no container may get a lower score than its parent.
func mayLowerOOMScore() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}

func (a *agent) ctr(ctx context.Context, input io.Reader, args ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(a.family.bin, "ctr"), append([]string{"--address", containerdSocket, "--namespace", "k8s.io"}, args...)...)
	command.Stdin = input
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %s: %w: %s", args[0], err, strings.TrimSpace(string(output)))
	}
	return nil
}
