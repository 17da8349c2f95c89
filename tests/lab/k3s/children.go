// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// family is the processes this one started. All of them die with it, whatever way it dies.
type family struct {
	bin      string
	mutex    sync.Mutex
	children []*child
	stopping bool
	starts   chan func()
}

type child struct {
	name string
	base bool
	cmd  *exec.Cmd
	done chan struct{}
	over atomic.Bool // asked to end
}

// stopPatience is short: k3s leaves without waiting for anybody, and what runs on the node goes on.
const stopPatience = 3 * time.Second

func newFamily(dataDir string) *family {
	f := &family{bin: filepath.Join(dataDir, "data", "current", "bin"), starts: make(chan func())}
	if resolved, err := filepath.EvalSymlinks(f.bin); err == nil {
		f.bin = resolved // an upgrade moves "current" while this process still runs
	}
	go func() {
		// The kernel sends the parent-death signal when the forking *thread* ends, so one thread forks them all and never ends.
		runtime.LockOSThread()
		for start := range f.starts {
			start()
		}
	}()
	return f
}

// spawn describes a child.
type spawn struct {
	name string
	args []string
	env  []string
	dir  string
	log  string // file for its output; this process's own where empty
	base bool   // others need it until they end
}

// start runs a child; its unexpected end ends this process, as the end of a component does in k3s.
func (f *family) start(s spawn) (*child, error) {
	cmd := exec.Command(filepath.Join(f.bin, s.name), s.args...)
	cmd.Env = append(cleanEnvironment(), s.env...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if s.log != "" {
		file, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		cmd.Stdout, cmd.Stderr = file, file
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	f.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	c := &child{name: s.name, base: s.base, cmd: cmd, done: make(chan struct{})}
	f.mutex.Lock()
	f.children = append(f.children, c)
	f.mutex.Unlock()
	go f.watch(c)
	return c, nil
}

func (f *family) watch(c *child) {
	err := c.cmd.Wait()
	close(c.done)
	f.mutex.Lock()
	expected := f.stopping
	f.mutex.Unlock()
	if !expected && !c.over.Load() {
		logFatal("%s exited: %v", c.name, err)
	}
}

// stop ends all children at once, but those that others build on (the datastore) only when the others are gone.
func (f *family) stop() {
	f.mutex.Lock()
	f.stopping = true
	children := append([]*child{}, f.children...)
	f.mutex.Unlock()
	for _, base := range []bool{false, true} {
		var ending sync.WaitGroup
		for _, c := range children {
			if c.base == base {
				ending.Go(func() { c.terminate(stopPatience) })
			}
		}
		ending.Wait()
	}
}

// end ends one child while the others go on.
func (c *child) end() {
	c.over.Store(true)
	c.terminate(stopPatience)
}

func (c *child) terminate(patience time.Duration) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(patience):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// cleanEnvironment is this process's environment without what is meant for it alone.
func cleanEnvironment() []string {
	var env []string
	for _, item := range os.Environ() {
		if !strings.HasPrefix(item, "NOTIFY_SOCKET=") && !strings.HasPrefix(item, "K3S_") {
			env = append(env, item)
		}
	}
	return env
}

// retry calls attempt until it succeeds or ctx ends, and hands every failure to report.
func retry(ctx context.Context, pause time.Duration, report func(error), attempt func() error) error {
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		if report != nil {
			report(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
