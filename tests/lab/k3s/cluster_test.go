// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"reflect"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const ownPeer = "https://10.0.0.2:2380"

func member(name, address string, learner bool) *pb.Member {
	return &pb.Member{
		Name: name, PeerURLs: []string{"https://" + address + ":2380"}, ClientURLs: []string{"https://" + address + ":2379"}, IsLearner: learner,
	}
}

func TestPlanJoin(t *testing.T) {
	first, learner := member("pi1-aaaaaaaa", "10.0.0.1", false), member("pi3-cccccccc", "10.0.0.3", true)
	plan, err := planJoin([]*pb.Member{first, learner}, "pi2", "pi2-bbbbbbbb", ownPeer)
	want := joinPlan{
		initial:    []string{"pi1-aaaaaaaa=https://10.0.0.1:2380", "pi3-cccccccc=https://10.0.0.3:2380"},
		clientURLs: []string{"https://10.0.0.1:2379"}, add: true,
	}
	if err != nil || !reflect.DeepEqual(plan, want) {
		t.Errorf("got %+v, %v", plan, err)
	}
	unstarted := &pb.Member{PeerURLs: []string{ownPeer}, IsLearner: true}
	if plan, err := planJoin([]*pb.Member{first, unstarted}, "pi2", "pi2-bbbbbbbb", ownPeer); err != nil || plan.add || len(plan.initial) != 1 {
		t.Errorf("a start that was cut short has to go on: %+v, %v", plan, err)
	}
	for _, taken := range []*pb.Member{member("pi2-dddddddd", "10.0.0.9", false), member("other-dddddddd", "10.0.0.2", false)} {
		if _, err := planJoin([]*pb.Member{first, taken}, "pi2", "pi2-bbbbbbbb", ownPeer); !errors.Is(err, errDuplicateName) {
			t.Errorf("%s: got %v", taken.Name, err)
		}
	}
}

func TestVoterCondition(t *testing.T) {
	for _, example := range []struct {
		member *pb.Member
		err    error
		status corev1.ConditionStatus
		reason string
	}{
		{nil, nil, corev1.ConditionFalse, "NotAMember"},
		{member("a-1", "10.0.0.1", true), nil, corev1.ConditionFalse, "MemberIsLearner"},
		{member("a-1", "10.0.0.1", false), errors.New("down"), corev1.ConditionFalse, "Unhealthy"},
		{member("a-1", "10.0.0.1", false), nil, corev1.ConditionTrue, "MemberNotLearner"},
	} {
		if got := voterCondition(example.member, example.err); got.Status != example.status || got.Reason != example.reason {
			t.Errorf("%v: got %v", example, got)
		}
	}
}

func TestConditionIsDue(t *testing.T) {
	now := time.Now()
	want := voterCondition(member("a-1", "10.0.0.1", false), nil)
	node := &corev1.Node{}
	if !conditionIsDue(node, want, now) {
		t.Error("a missing condition is due")
	}
	written := want
	written.LastHeartbeatTime = metav1.NewTime(now.Add(-time.Minute))
	node.Status.Conditions = []corev1.NodeCondition{written}
	if conditionIsDue(node, want, now) || !conditionIsDue(node, want, now.Add(conditionRefresh)) {
		t.Error("an unchanged condition is due only when its heartbeat is old")
	}
	if !conditionIsDue(node, voterCondition(nil, nil), now) {
		t.Error("a changed condition is due")
	}
}

func service(name string, age time.Duration, port int32) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, CreationTimestamp: metav1.NewTime(time.Now().Add(-age))},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: port, Protocol: corev1.ProtocolTCP}}},
	}
}

func node(name, address string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
}

func TestTheOlderServiceKeepsThePort(t *testing.T) {
	young, old, other := service("young", time.Minute, 80), service("old", time.Hour, 80), service("other", time.Second, 81)
	nodes := []*corev1.Node{node("b", "10.0.0.2"), node("a", "10.0.0.1")}
	plan := planLoadBalancers([]*corev1.Service{young, old, other}, nodes, nil)
	both := []string{"10.0.0.1", "10.0.0.2"}
	if !reflect.DeepEqual(plan[old], both) || !reflect.DeepEqual(plan[other], both) || plan[young] != nil {
		t.Errorf("got %v, %v, %v", plan[old], plan[other], plan[young])
	}
	if _, planned := plan[young]; !planned {
		t.Error("a service that lost its port has to be planned, so that its addresses go")
	}
}

func TestLocalTrafficPolicyNeedsAnEndpointOnTheNode(t *testing.T) {
	local := service("local", time.Hour, 80)
	local.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	name, ready := "b", true
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Labels: map[string]string{discoveryv1.LabelServiceName: "local"}},
		Endpoints:  []discoveryv1.Endpoint{{NodeName: &name, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}
	nodes := []*corev1.Node{node("a", "10.0.0.1"), node("b", "10.0.0.2")}
	if got := addressesFor(local, nodes, []*discoveryv1.EndpointSlice{slice}); !reflect.DeepEqual(got, []string{"10.0.0.2"}) {
		t.Errorf("got %v", got)
	}
}

func TestBalancingNodes(t *testing.T) {
	down, chosen := node("down", "10.0.0.3"), node("chosen", "10.0.0.4")
	down.Status.Conditions[0].Status = corev1.ConditionUnknown
	if got := balancingNodes([]*corev1.Node{node("a", "10.0.0.1"), down}); len(got) != 1 || got[0].Name != "a" {
		t.Errorf("got %v", got)
	}
	starting := node("starting", "10.0.0.5")
	starting.Status.Conditions[0].Status = corev1.ConditionFalse
	if got := balancingNodes([]*corev1.Node{starting}); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	chosen.Labels = map[string]string{enableLBLabel: "true"}
	if got := balancingNodes([]*corev1.Node{node("a", "10.0.0.1"), chosen}); len(got) != 1 || got[0].Name != "chosen" {
		t.Errorf("got %v", got)
	}
}

func TestPeerRoutes(t *testing.T) {
	a, b, unassigned := node("a", "10.0.0.1"), node("b", "10.0.0.2"), node("c", "10.0.0.3")
	a.Spec.PodCIDR, b.Spec.PodCIDR = "10.42.0.0/24", "10.42.1.0/24"
	got := peerRoutes([]*corev1.Node{a, b, unassigned}, "a")
	if want := map[string]string{"10.42.1.0/24": "10.0.0.2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestMergeServersKeepsTheWorkingOneFirst(t *testing.T) {
	got := mergeServers([]string{"b", "a", "gone"}, []string{"a", "b", "c"}, "first")
	if want := []string{"b", "a", "c", "first"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if got := toEnd([]string{"a", "b"}, "a"); !reflect.DeepEqual(got, []string{"b", "a"}) {
		t.Errorf("got %v", got)
	}
}

func TestMismatchesOfCriticalSettings(t *testing.T) {
	a := clusterConfig{ClusterCIDR: "10.42.0.0/16", ServiceCIDR: "10.43.0.0/16"}
	b := a
	if names := a.mismatches(b); names != nil {
		t.Errorf("got %v", names)
	}
	b.ClusterCIDR, b.DisableServiceLB = "10.44.0.0/16", true
	if names := a.mismatches(b); !reflect.DeepEqual(names, []string{"cluster-cidr", "disable-service-lb"}) {
		t.Errorf("got %v", names)
	}
}

func TestNodeArgsHideSecrets(t *testing.T) {
	got := visibleArgs([]string{"server", "--token=abc", "--node-label=a=b", "-t", "abc", "--cluster-init"})
	want := []string{"server", "--token", hidden, "--node-label", "a=b", "-t", hidden, "--cluster-init"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	env := visibleEnvironment([]string{"K3S_TOKEN=abc", "K3S_NODE_NAME=x", "HOME=/root"})
	if !reflect.DeepEqual(env, map[string]string{"K3S_TOKEN": hidden, "K3S_NODE_NAME": "x"}) {
		t.Errorf("got %v", env)
	}
}

func TestConfigHashIsThatOfK3s(t *testing.T) {
	if got := configHash([]byte(`["server"]`), []byte(`{}`)); got != "MLFMUCBMRVINLJJKSG32TOUFWB4CN55GMSNY25AZPESQXZCYRN2A====" {
		t.Errorf("got %s", got)
	}
}

func TestControllerEnabled(t *testing.T) {
	text := "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t5\t1\nmemory\t0\t5\t0\n"
	if !controllerEnabled(text, "cpu") || controllerEnabled(text, "memory") || controllerEnabled(text, "pids") {
		t.Error("the last column decides")
	}
}

func TestUsableNameServers(t *testing.T) {
	for text, want := range map[string]bool{
		"nameserver 192.168.1.1\n": true, "nameserver 127.0.0.53\n": false, "search home\n": false, "# x\nnameserver fd00::1\n": true,
	} {
		if usableNameServers(text) != want {
			t.Errorf("%q: not %t", text, want)
		}
	}
}

func TestManifestNames(t *testing.T) {
	for path, want := range map[string]string{"manifests/coredns.yaml": "coredns", "manifests/metrics-server/resource-reader.yaml": "metrics-server"} {
		if got := componentOf(path); got != want {
			t.Errorf("%s: got %s", path, got)
		}
	}
	if got := addonName("/x/my.app.v1.yaml"); got != "my" {
		t.Errorf("got %s", got)
	}
	gvk := parseGVK(gvkText(parseGVK("apps/v1, Kind=Deployment")))
	if gvk.Group != "apps" || gvk.Version != "v1" || gvk.Kind != "Deployment" {
		t.Errorf("got %v", gvk)
	}
}

func TestParseManifests(t *testing.T) {
	objects, err := parseManifests([]byte("---\n# nothing\n---\nkind: A\napiVersion: v1\nmetadata: {name: a}\n---\n" +
		"kind: List\napiVersion: v1\nitems:\n- {kind: B, apiVersion: v1, metadata: {name: b}}\n"))
	if err != nil || len(objects) != 2 || objects[0].GetKind() != "A" || objects[1].GetName() != "b" {
		t.Errorf("got %v, %v", objects, err)
	}
}
