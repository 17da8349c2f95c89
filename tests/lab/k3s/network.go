// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// routeProtocol marks the routes to other nodes' pods as ours.
const routeProtocol = 207

// startNetwork gives this node's pods a bridge, and keeps a route to every other node's pods, as flannel's host-gw backend does.
func (a *agent) startNetwork(ctx context.Context) error {
	var podCIDR string
	err := retry(ctx, 500*time.Millisecond, nil, func() error {
		node, err := a.kube.CoreV1().Nodes().Get(ctx, a.node.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if podCIDR = node.Spec.PodCIDR; podCIDR == "" {
			return errors.New("no pod network assigned yet")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := masquerade(ctx, a.cluster.ClusterCIDR); err != nil {
		return err
	}
	if err := writeFile(a.path("etc/cni/net.d/10-k3s.conflist"), []byte(bridgeConfig(podCIDR)), 0o600); err != nil {
		return err
	}
	go a.keepRoutes(ctx)
	return nil
}

func bridgeConfig(podCIDR string) string {
	return fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "cbr0", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "isDefaultGateway": true, "forceAddress": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`, podCIDR)
}

// masquerade hides pods behind their node towards everything but other pods. The chains have flannel's names, which is what
// k3s-killall.sh clears away.
func masquerade(ctx context.Context, clusterCIDR string) error {
	rules := [][]string{
		{"-t", "nat", "POSTROUTING", "-m", "comment", "--comment", "flanneld masq", "-s", clusterCIDR, "!", "-d", clusterCIDR, "-j", "MASQUERADE"},
		{"-t", "filter", "FORWARD", "-m", "comment", "--comment", "flanneld forward", "-s", clusterCIDR, "-j", "ACCEPT"},
		{"-t", "filter", "FORWARD", "-m", "comment", "--comment", "flanneld forward", "-d", clusterCIDR, "-j", "ACCEPT"},
	}
	for _, rule := range rules {
		with := func(action string) []string {
			return append([]string{"-w", "10", rule[0], rule[1], action}, rule[2:]...)
		}
		if exec.CommandContext(ctx, "iptables", with("-C")...).Run() == nil {
			continue
		}
		if output, err := exec.CommandContext(ctx, "iptables", with("-A")...).CombinedOutput(); err != nil {
			return fmt.Errorf("iptables: %w: %s", err, output)
		}
	}
	return nil
}

// keepRoutes follows the nodes of the cluster.
func (a *agent) keepRoutes(ctx context.Context) {
	factory := informers.NewSharedInformerFactory(a.kube, 0)
	informer := factory.Core().V1().Nodes().Informer()
	changed := make(chan struct{}, 1)
	wake := func(any) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: wake, DeleteFunc: wake, UpdateFunc: func(_, object any) { wake(object) }}
	if _, err := informer.AddEventHandler(handler); err != nil {
		logFatal("network: %v", err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for {
		if err := syncRoutes(peerRoutes(nodesOf(factory), a.node.name)); err != nil {
			logWarn("routes to pods: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(30 * time.Second):
		}
	}
}

// peerRoutes says through which node's address each other node's pods are reached.
func peerRoutes(nodes []*corev1.Node, own string) map[string]string {
	routes := map[string]string{}
	for _, node := range nodes {
		if ip := internalIP(node); node.Name != own && ip != "" && node.Spec.PodCIDR != "" {
			routes[node.Spec.PodCIDR] = ip
		}
	}
	return routes
}

func syncRoutes(want map[string]string) error {
	found, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Protocol: routeProtocol}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return err
	}
	for _, route := range found {
		if route.Dst == nil || want[route.Dst.String()] != route.Gw.String() {
			if err := netlink.RouteDel(&route); err != nil {
				return err
			}
		}
	}
	var failed error
	for cidr, gateway := range want {
		_, network, err := net.ParseCIDR(cidr)
		if err == nil {
			err = netlink.RouteReplace(&netlink.Route{Dst: network, Gw: net.ParseIP(gateway), Protocol: routeProtocol})
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s via %s: %w", cidr, gateway, err))
		}
	}
	return failed
}
