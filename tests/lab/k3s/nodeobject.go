// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const hidden = "********"

// Flags and variables whose values nobody may read on a node object.
var (
	secretFlags = []string{"--token", "-t", "--agent-token", "--datastore-endpoint", "--etcd-s3-access-key", "--etcd-s3-secret-key"}
	secretEnv   = []string{"K3S_TOKEN", "K3S_AGENT_TOKEN", "K3S_DATASTORE_ENDPOINT"}
)

// describeNode waits for the kubelet to register the node and writes on it what k3s writes.
func (a *agent) describeNode(ctx context.Context) error {
	args, env := visibleArgs(a.cfg.Args), visibleEnvironment(os.Environ())
	argsText, err := json.Marshal(args)
	if err != nil {
		return err
	}
	envText, err := json.Marshal(env)
	if err != nil {
		return err
	}
	annotations := map[string]string{
		"k3s.io/hostname": a.node.hostname, "k3s.io/internal-ip": a.node.ip,
		"k3s.io/node-args": string(argsText), "k3s.io/node-env": string(envText),
		"k3s.io/node-config-hash": configHash(argsText, envText),
	}
	if a.cfg.NodeExternalIP != "" {
		annotations["k3s.io/external-ip"] = a.cfg.NodeExternalIP
	}
	patch := map[string]any{"metadata": map[string]any{"labels": labelMap(a.cfg.NodeLabels), "annotations": annotations}}
	report := func(error) {}
	err = retry(ctx, time.Second, report, func() error {
		if _, err := a.kube.CoreV1().Nodes().Get(ctx, a.node.name, metav1.GetOptions{}); err != nil {
			return err
		}
		return patchNode(ctx, a.kube, a.node.name, patch)
	})
	if err == nil {
		logInfo("Labels and annotations have been set successfully on node: %s", a.node.name)
	}
	return err
}

func labelMap(pairs []string) map[string]string {
	labels := map[string]string{}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		labels[key] = value
	}
	return labels
}

// visibleArgs is the command line, one word per item, with secrets hidden.
func visibleArgs(args []string) []string {
	visible := []string{}
	hideNext := false
	for _, arg := range args {
		flag, value, joined := strings.Cut(arg, "=")
		switch {
		case hideNext:
			visible = append(visible, hidden)
		case joined && isOneOf(flag, secretFlags):
			visible = append(visible, flag, hidden)
		case joined && strings.HasPrefix(flag, "-"):
			visible = append(visible, flag, value)
		default:
			visible = append(visible, arg)
		}
		hideNext = !joined && isOneOf(flag, secretFlags)
	}
	return visible
}

func visibleEnvironment(environ []string) map[string]string {
	visible := map[string]string{}
	for _, item := range environ {
		name, value, _ := strings.Cut(item, "=")
		if !strings.HasPrefix(name, "K3S_") {
			continue
		}
		if isOneOf(name, secretEnv) {
			value = hidden
		}
		visible[name] = value
	}
	return visible
}

// configHash changes only with arguments or environment, so that an upgrade controller can see a node's configuration change.
func configHash(args, env []byte) string {
	digest := sha256.New()
	digest.Write(args)
	digest.Write(env)
	return base32.StdEncoding.EncodeToString(digest.Sum(nil))
}

func isOneOf(text string, list []string) bool {
	for _, item := range list {
		if item == text {
			return true
		}
	}
	return false
}
