// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
)

const enableLBLabel = "svccontroller.k3s.cattle.io/enablelb"

// reconcileLoadBalancers announces the nodes' own addresses as those of LoadBalancer services; kube-proxy answers there.
func (s *server) reconcileLoadBalancers(ctx context.Context, factory informers.SharedInformerFactory) {
	var services []*corev1.Service
	for _, object := range factory.Core().V1().Services().Informer().GetStore().List() {
		services = append(services, object.(*corev1.Service))
	}
	var slices []*discoveryv1.EndpointSlice
	for _, object := range factory.Discovery().V1().EndpointSlices().Informer().GetStore().List() {
		slices = append(slices, object.(*discoveryv1.EndpointSlice))
	}
	nodes := balancingNodes(nodesOf(factory))
	for service, addresses := range planLoadBalancers(services, nodes, slices) {
		want := ingress(addresses)
		if reflect.DeepEqual(service.Status.LoadBalancer.Ingress, want) || len(want)+len(service.Status.LoadBalancer.Ingress) == 0 {
			continue
		}
		text, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": want}}})
		if err == nil {
			_, err = s.kube.CoreV1().Services(service.Namespace).Patch(ctx, service.Name, types.MergePatchType, text, metav1.PatchOptions{}, "status")
		}
		if err != nil {
			logWarn("load balancer of %s/%s: %v", service.Namespace, service.Name, err)
		}
	}
}

// balancingNodes are the nodes that are heard of or, once any node has the label for it, those of them with that label. One that says
// itself that it is not ready, as a kubelet may for some seconds after a restart, is among them: k3s takes its address out of the
// service's status then, and the host port of its ServiceLB pod answers all the same; here there is no such pod.
func balancingNodes(nodes []*corev1.Node) []*corev1.Node {
	chosen := slices.ContainsFunc(nodes, func(node *corev1.Node) bool { return node.Labels[enableLBLabel] == "true" })
	var balancing []*corev1.Node
	for _, node := range nodes {
		if nodeHeardOf(node) && node.DeletionTimestamp == nil && (!chosen || node.Labels[enableLBLabel] == "true") {
			balancing = append(balancing, node)
		}
	}
	return balancing
}

// planLoadBalancers gives every port to the oldest service that asks for it. A service that asks for a taken port gets nothing, as
// a ServiceLB pod that finds its host port taken stays pending.
func planLoadBalancers(services []*corev1.Service, nodes []*corev1.Node, slices []*discoveryv1.EndpointSlice) map[*corev1.Service][]string {
	sort.Slice(services, func(i, j int) bool { return olderService(services[i], services[j]) })
	taken := map[string]bool{}
	plan := map[*corev1.Service][]string{}
	for _, service := range services {
		if service.Spec.Type != corev1.ServiceTypeLoadBalancer || service.Spec.LoadBalancerClass != nil || service.DeletionTimestamp != nil {
			continue
		}
		plan[service] = nil
		if takePorts(service, taken) {
			plan[service] = addressesFor(service, nodes, slices)
		}
	}
	return plan
}

func olderService(a, b *corev1.Service) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}

func takePorts(service *corev1.Service, taken map[string]bool) bool {
	var ports []string
	for _, port := range service.Spec.Ports {
		name := fmt.Sprintf("%d/%s", port.Port, port.Protocol)
		if taken[name] {
			return false
		}
		ports = append(ports, name)
	}
	for _, name := range ports {
		taken[name] = true
	}
	return true
}

// addressesFor are the nodes' addresses; with the local traffic policy only of those that have a ready endpoint.
func addressesFor(service *corev1.Service, nodes []*corev1.Node, slices []*discoveryv1.EndpointSlice) []string {
	local := map[string]bool{}
	for _, slice := range slices {
		if slice.Namespace != service.Namespace || slice.Labels[discoveryv1.LabelServiceName] != service.Name {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if endpoint.NodeName != nil && (endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready) {
				local[*endpoint.NodeName] = true
			}
		}
	}
	var addresses []string
	for _, node := range nodes {
		if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal && !local[node.Name] {
			continue
		}
		if ip := internalIP(node); ip != "" {
			addresses = append(addresses, ip)
		}
	}
	sort.Strings(addresses)
	return addresses
}

func ingress(addresses []string) []corev1.LoadBalancerIngress {
	mode := corev1.LoadBalancerIPModeVIP
	var list []corev1.LoadBalancerIngress
	for _, address := range addresses {
		list = append(list, corev1.LoadBalancerIngress{IP: address, IPMode: &mode})
	}
	return list
}
