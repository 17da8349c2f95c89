// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	controlPlaneRoleLabel = "node-role.kubernetes.io/control-plane"
	etcdRoleLabel         = "node-role.kubernetes.io/etcd"
	orphanPatience        = 10 * time.Minute
)

// runControllers does what a server does for its own node, and, on one server at a time, what is done once for the cluster.
func (s *server) runControllers(ctx context.Context) {
	go s.markOwnNode(ctx)
	if s.etcd != nil {
		go s.superviseMembers(ctx)
	}
	if err := s.stageManifests(); err != nil {
		logError("manifests: %v", err)
	}
	if s.electsLeader() == "false" {
		s.runClusterControllers(ctx)
		return
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "k3s"}, Client: s.kube.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: s.node.name + "_" + randomHex(4)},
	}
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 45 * time.Second, RenewDeadline: 30 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: s.runClusterControllers,
			OnStoppedLeading: func() {
				if ctx.Err() == nil {
					logFatal("leaderelection lost for k3s")
				}
			},
		},
	})
}

// runClusterControllers reconciles everything whenever something it reads has changed.
func (s *server) runClusterControllers(ctx context.Context) {
	factory := informers.NewSharedInformerFactory(s.kube, 0)
	changed := make(chan struct{}, 1)
	wake := func(any) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: wake, DeleteFunc: wake, UpdateFunc: func(_, object any) { wake(object) }}
	watched := []cache.SharedIndexInformer{
		factory.Core().V1().Nodes().Informer(), factory.Core().V1().Services().Informer(), factory.Discovery().V1().EndpointSlices().Informer(),
	}
	for _, informer := range watched {
		if _, err := informer.AddEventHandler(handler); err != nil {
			logFatal("controllers: %v", err)
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go s.deployManifests(ctx, func() { wake(nil) })
	for {
		s.reconcileNodes(ctx, factory)
		if !s.cfg.disabled("servicelb") {
			s.reconcileLoadBalancers(ctx, factory)
		}
		time.Sleep(200 * time.Millisecond)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(15 * time.Second):
		}
	}
}

// markOwnNode keeps the role labels and etcd annotations on this server's node, also after it was deleted and came back.
func (s *server) markOwnNode(ctx context.Context) {
	labels := map[string]string{controlPlaneRoleLabel: "true"}
	annotations := map[string]string{}
	if s.etcd != nil {
		labels[etcdRoleLabel] = "true"
		annotations[etcdNameKey], annotations[etcdAddressKey] = s.etcd.name, s.node.ip
	}
	pause := 500 * time.Millisecond
	for ctx.Err() == nil {
		node, err := s.kube.CoreV1().Nodes().Get(ctx, s.node.name, metav1.GetOptions{})
		if err == nil && node.DeletionTimestamp == nil {
			pause = 5 * time.Second
			if !contains(node.Labels, labels) || !contains(node.Annotations, annotations) {
				err = patchNode(ctx, s.kube, node.Name, map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}})
				if err != nil {
					logWarn("Unable to label node %s: %v", node.Name, err)
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func contains(have, want map[string]string) bool {
	for key, value := range want {
		if have[key] != value {
			return false
		}
	}
	return true
}

func patchNode(ctx context.Context, kube kubernetes.Interface, name string, patch map[string]any, subresource ...string) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = kube.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, text, metav1.PatchOptions{}, subresource...)
	return err
}

// reconcileNodes does what follows from nodes coming and going: etcd membership, node passwords, names in the cluster's DNS.
func (s *server) reconcileNodes(ctx context.Context, factory informers.SharedInformerFactory) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	nodes := nodesOf(factory)
	for _, node := range nodes {
		if s.etcd == nil || node.Labels[etcdRoleLabel] != "true" {
			continue
		}
		if err := s.reconcileEtcdNode(ctx, node); err != nil {
			logError("node %s: %v", node.Name, err)
		}
	}
	if err := s.reconcileNodePasswords(ctx, nodes); err != nil {
		logWarn("node passwords: %v", err)
	}
	if err := s.writeNodeHosts(ctx, nodes); err != nil {
		logWarn("NodeHosts: %v", err)
	}
}

func nodesOf(factory informers.SharedInformerFactory) []*corev1.Node {
	var nodes []*corev1.Node
	for _, object := range factory.Core().V1().Nodes().Informer().GetStore().List() {
		nodes = append(nodes, object.(*corev1.Node))
	}
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].Name < nodes[j].Name })
	return nodes
}

// reconcileEtcdNode holds a deleted server's node back until its member has left the cluster.
func (s *server) reconcileEtcdNode(ctx context.Context, node *corev1.Node) error {
	held := slices.Contains(node.Finalizers, etcdFinalizer)
	switch {
	case node.DeletionTimestamp == nil && !held:
		return patchNode(ctx, s.kube, node.Name, finalizerPatch("finalizers", etcdFinalizer))
	case node.DeletionTimestamp != nil && held:
		if err := s.etcd.removeMember(ctx, node); err != nil {
			return err
		}
		return patchNode(ctx, s.kube, node.Name, finalizerPatch("$deleteFromPrimitiveList/finalizers", etcdFinalizer))
	}
	return nil
}

func finalizerPatch(key, finalizer string) map[string]any {
	return map[string]any{"metadata": map[string]any{key: []string{finalizer}}}
}

// reconcileNodePasswords ties each password to its node, so that both go together, and drops those whose node never came.
func (s *server) reconcileNodePasswords(ctx context.Context, nodes []*corev1.Node) error {
	byName := map[string]*corev1.Node{}
	for _, node := range nodes {
		byName[node.Name] = node
	}
	client := s.kube.CoreV1().Secrets("kube-system")
	secrets, err := client.List(ctx, metav1.ListOptions{FieldSelector: "type=" + nodePasswordType})
	if err != nil {
		return err
	}
	for _, secret := range secrets.Items {
		node := byName[strings.TrimSuffix(secret.Name, nodePasswordSuffix)]
		switch {
		case node != nil && len(secret.OwnerReferences) == 0:
			owner := []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
			text, err := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": owner}})
			if err != nil {
				return err
			}
			if _, err := client.Patch(ctx, secret.Name, types.MergePatchType, text, metav1.PatchOptions{}); err != nil {
				return err
			}
		case node == nil && time.Since(secret.CreationTimestamp.Time) > orphanPatience:
			if err := client.Delete(ctx, secret.Name, metav1.DeleteOptions{}); err != nil {
				return err
			}
			logInfo("Deleted orphaned node-password secret %s", secret.Name)
		}
	}
	return nil
}

// writeNodeHosts lets CoreDNS answer for the nodes' names.
func (s *server) writeNodeHosts(ctx context.Context, nodes []*corev1.Node) error {
	if s.cfg.disabled("coredns") {
		return nil
	}
	var lines strings.Builder
	for _, node := range nodes {
		if ip := internalIP(node); ip != "" {
			fmt.Fprintf(&lines, "%s %s\n", ip, node.Name)
		}
	}
	maps := s.kube.CoreV1().ConfigMaps("kube-system")
	found, err := maps.Get(ctx, "coredns", metav1.GetOptions{})
	if err != nil || found.Data["NodeHosts"] == lines.String() {
		return nil // not deployed yet, or as it should be
	}
	text, err := json.Marshal(map[string]any{"data": map[string]string{"NodeHosts": lines.String()}})
	if err != nil {
		return err
	}
	_, err = maps.Patch(ctx, "coredns", types.MergePatchType, text, metav1.PatchOptions{})
	return err
}

func internalIP(node *corev1.Node) string {
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	return ""
}

// nodeHeardOf is true while a kubelet tells about the node, be it good or bad.
func nodeHeardOf(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status != corev1.ConditionUnknown
		}
	}
	return false
}
