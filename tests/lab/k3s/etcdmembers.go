// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// learnerTick is how often the leader looks at learners and conditions; k3s takes 15 s, a lab has no reason to wait.
	learnerTick      = 3 * time.Second
	learnerPatience  = 5 * time.Minute
	conditionRefresh = 5 * time.Minute

	etcdCondition  = corev1.NodeConditionType("EtcdIsVoter")
	etcdFinalizer  = "wrangler.cattle.io/managed-etcd-controller"
	etcdNameKey    = "etcd.k3s.cattle.io/node-name"
	etcdAddressKey = "etcd.k3s.cattle.io/node-address"
)

func (m *etcdMember) stop() {
	m.stopped.Store(true)
	m.client.Close()
	m.server.Close()
}

func (m *etcdMember) members(ctx context.Context) ([]*pb.Member, error) {
	attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer, err := m.client.MemberList(attempt)
	if err != nil {
		return nil, err
	}
	return answer.Members, nil
}

// test says what keeps this member from serving: not promoted, not a member, no quorum.
func (m *etcdMember) test(ctx context.Context) error {
	attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status, err := m.client.Status(attempt, "https://127.0.0.1:2379")
	if err != nil {
		return err
	}
	if status.IsLearner {
		return errors.New("this server has not yet been promoted from learner to voting member")
	}
	_, err = m.client.Get(attempt, bootstrapPrefix) // a linearizable read: answered only with a quorum
	return err
}

// watchEtcd waits for the end of the member: removed from the cluster, it leaves a mark for the next start; else k3s ends with it.
func (s *server) watchEtcd() {
	<-s.etcd.server.Server.StopNotify()
	if s.etcd.stopped.Load() {
		return
	}
	if !s.wasRemoved() {
		logFatal("etcd stopped")
	}
	if err := writeFile(s.path("db/etcd/tombstone"), nil, 0o600); err != nil {
		logFatal("etcd tombstone: %v", err)
	}
	logInfo("this node has been removed from the cluster please restart k3s to rejoin the cluster")
}

// wasRemoved asks the other members, since a removed member's own word is old.
func (s *server) wasRemoved() bool {
	others, _ := s.etcd.others.Load().([]string)
	if len(others) == 0 {
		return false
	}
	client, err := s.store.client(others...)
	if err != nil {
		return false
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	answer, err := client.MemberList(ctx)
	if err != nil {
		return false
	}
	for _, member := range answer.Members {
		if member.Name == s.etcd.name {
			return false
		}
	}
	return true
}

// progress is how far a learner was when last seen to move.
type progress struct {
	applied uint64
	moved   time.Time
}

// superviseMembers does, on etcd's leader, what one member must do for all: promote learners and write the voters' conditions.
func (s *server) superviseMembers(ctx context.Context) {
	seen := map[uint64]progress{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(learnerTick):
		}
		members, err := s.etcd.members(ctx)
		if err != nil {
			continue
		}
		s.etcd.others.Store(otherClientURLs(members, s.etcd.name))
		if !s.etcd.leads(ctx) {
			clear(seen)
			continue
		}
		for _, member := range members {
			if member.IsLearner {
				s.etcd.promote(ctx, member, seen)
			}
		}
		s.writeVoterConditions(ctx, members)
	}
}

func otherClientURLs(members []*pb.Member, own string) []string {
	var urls []string
	for _, member := range members {
		if member.Name != own {
			urls = append(urls, member.ClientURLs...)
		}
	}
	return urls
}

func (m *etcdMember) leads(ctx context.Context) bool {
	attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status, err := m.client.Status(attempt, "https://127.0.0.1:2379")
	return err == nil && status.Leader == status.Header.MemberId
}

// promote makes a learner a voter once it has caught up, which etcd itself judges, or removes one that stands still.
func (m *etcdMember) promote(ctx context.Context, learner *pb.Member, seen map[uint64]progress) {
	attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var applied uint64
	if len(learner.ClientURLs) > 0 {
		if status, err := m.client.Status(attempt, learner.ClientURLs[0]); err == nil {
			applied = status.RaftAppliedIndex
		}
	}
	_, err := m.client.MemberPromote(attempt, learner.ID)
	if err == nil {
		logInfo("Promoted learner %s", learner.Name)
		delete(seen, learner.ID)
		return
	}
	if !errors.Is(err, rpctypes.ErrMemberLearnerNotReady) {
		logWarn("Unable to promote learner %s: %v", learner.Name, err)
	}
	last, known := seen[learner.ID]
	if !known || applied > last.applied {
		seen[learner.ID] = progress{applied, time.Now()}
		return
	}
	if time.Since(last.moved) > learnerPatience {
		logWarn("Learner %s stalled at RaftAppliedIndex=%d", learner.Name, applied)
		if _, err := m.client.MemberRemove(attempt, learner.ID); err == nil {
			logWarn("Removed learner %s from etcd cluster", learner.Name)
		}
	}
}

// writeVoterConditions keeps the condition EtcdIsVoter of every etcd node true to the member list.
func (s *server) writeVoterConditions(ctx context.Context, members []*pb.Member) {
	attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	nodes, err := s.kube.CoreV1().Nodes().List(attempt, metav1.ListOptions{LabelSelector: etcdRoleLabel + "=true"})
	if err != nil {
		return
	}
	for i := range nodes.Items {
		node := &nodes.Items[i]
		member := memberOf(node, members)
		var unhealthy error
		if member != nil && !member.IsLearner && len(member.ClientURLs) > 0 {
			unhealthy = s.etcd.ping(attempt, member.ClientURLs[0])
		}
		condition := voterCondition(member, unhealthy)
		if !conditionIsDue(node, condition, time.Now()) {
			continue
		}
		if err := s.patchCondition(attempt, node, condition); err != nil {
			logWarn("Unable to set etcd status condition of %s: %v", node.Name, err)
		}
	}
}

// ping says what is wrong with a member; it waits shortly, so that a dead one does not use up the others' time.
func (m *etcdMember) ping(ctx context.Context, url string) error {
	attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := m.client.Status(attempt, url); err != nil {
		return errors.New("Node is unhealthy")
	}
	return nil
}

func memberOf(node *corev1.Node, members []*pb.Member) *pb.Member {
	for _, member := range members {
		if member.Name != "" && member.Name == node.Annotations[etcdNameKey] {
			return member
		}
	}
	return nil
}

func voterCondition(member *pb.Member, unhealthy error) corev1.NodeCondition {
	condition := corev1.NodeCondition{Type: etcdCondition, Status: corev1.ConditionFalse}
	switch {
	case member == nil:
		condition.Reason, condition.Message = "NotAMember", "Node is not a member of the etcd cluster"
	case member.IsLearner:
		condition.Reason, condition.Message = "MemberIsLearner", "Node has not been promoted to voting member of the etcd cluster"
	case unhealthy != nil:
		condition.Reason, condition.Message = "Unhealthy", unhealthy.Error()
	default:
		condition.Status = corev1.ConditionTrue
		condition.Reason, condition.Message = "MemberNotLearner", "Node is a voting member of the etcd cluster"
	}
	return condition
}

// conditionIsDue says whether the condition has to be written: it changed, or its heartbeat is old.
func conditionIsDue(node *corev1.Node, want corev1.NodeCondition, now time.Time) bool {
	for _, found := range node.Status.Conditions {
		if found.Type == want.Type {
			return found.Status != want.Status || found.Reason != want.Reason || now.Sub(found.LastHeartbeatTime.Time) > conditionRefresh
		}
	}
	return true
}

func (s *server) patchCondition(ctx context.Context, node *corev1.Node, condition corev1.NodeCondition) error {
	now := metav1.Now()
	condition.LastHeartbeatTime, condition.LastTransitionTime = now, now
	for _, found := range node.Status.Conditions {
		if found.Type == condition.Type && found.Status == condition.Status {
			condition.LastTransitionTime = found.LastTransitionTime
		}
	}
	logInfo("Adding node %s etcd status condition", node.Name)
	return patchNode(ctx, s.kube, node.Name, map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{condition}}}, "status")
}

// removeMember takes the member of a deleted node out of the cluster.
func (m *etcdMember) removeMember(ctx context.Context, node *corev1.Node) error {
	name := node.Annotations[etcdNameKey]
	members, err := m.members(ctx)
	if err != nil {
		return err
	}
	for _, member := range members {
		if name == "" || member.Name != name {
			continue
		}
		logInfo("Removing etcd member %s from cluster", name)
		attempt, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if _, err := m.client.MemberRemove(attempt, member.ID); err != nil && !errors.Is(err, rpctypes.ErrMemberNotFound) {
			return fmt.Errorf("removing etcd member %s: %w", name, err)
		}
	}
	return nil
}
