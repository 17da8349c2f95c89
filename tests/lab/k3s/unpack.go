// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// payload holds further binaries that the builder put beside the sources.
//
//go:embed all:payload
var payload embed.FS

// Programs of the machine that run from the unpacked directory, under the names k3s ships them by: what looks for processes of k3s by
// path finds them there, and a package upgrade of the machine does not touch what runs.
var machinePrograms = []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc"}

// unpackAndReplaceProcess continues as the unpacked copy, so that replacing the installed binary never disturbs a running server.
func unpackAndReplaceProcess(dataDir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if filepath.Base(filepath.Dir(self)) == "bin" && filepath.Dir(filepath.Dir(filepath.Dir(self))) == filepath.Join(dataDir, "data") {
		return nil
	}
	hash, err := fileHash(self)
	if err != nil {
		return err
	}
	root := filepath.Join(dataDir, "data")
	target := filepath.Join(root, hash)
	if err := unpack(self, root, target); err != nil {
		return fmt.Errorf("extracting data: %w", err)
	}
	if err := linkCurrent(root, target); err != nil {
		return err
	}
	bin := filepath.Join(target, "bin")
	if err := addMachinePrograms(bin); err != nil {
		return err
	}
	os.Setenv("PATH", bin+":"+os.Getenv("PATH")+":"+filepath.Join(bin, "aux"))
	return syscall.Exec(filepath.Join(bin, "k3s"), append([]string{"k3s"}, os.Args[1:]...), os.Environ())
}

func fileHash(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// unpack fills target once; a half-filled directory never carries the final name.
func unpack(self, root, target string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(root, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	logInfo("Preparing data dir %s", target)
	partial := target + "-tmp"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := fillBin(self, filepath.Join(partial, "bin")); err != nil {
		return err
	}
	return os.Rename(partial, target)
}

func fillBin(self, bin string) error {
	if err := os.MkdirAll(filepath.Join(bin, "aux"), 0o755); err != nil {
		return err
	}
	if err := linkOrCopy(self, filepath.Join(bin, "k3s")); err != nil {
		return err
	}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "crictl"} {
		if err := os.Symlink("k3s", filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	entries, err := payload.ReadDir("payload")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(payload, "payload/"+entry.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(bin, entry.Name()), content, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// addMachinePrograms adds what the machine has by now; what it lacks is told where it is needed.
func addMachinePrograms(bin string) error {
	for _, name := range machinePrograms {
		source, target := machineProgram(name), filepath.Join(bin, name)
		if _, err := os.Stat(target); err == nil || source == "" {
			continue
		}
		if err := linkOrCopy(source, target); err != nil {
			return err
		}
	}
	return nil
}

func machineProgram(name string) string {
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin"} {
		if path, err := filepath.EvalSymlinks(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

func linkOrCopy(source, target string) error {
	err := os.Link(source, target)
	if err == nil || !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EPERM) {
		return err
	}
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// linkCurrent points data/current at target, and data/previous at what was current.
func linkCurrent(root, target string) error {
	current := filepath.Join(root, "current")
	old, err := os.Readlink(current)
	if err == nil && old == target {
		return nil
	}
	if err == nil {
		if err := replaceLink(old, filepath.Join(root, "previous")); err != nil {
			return err
		}
	}
	return replaceLink(target, current)
}

func replaceLink(target, link string) error {
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(target, link)
}
