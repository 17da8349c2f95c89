// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

var errDuplicateName = errors.New("etcd cluster join failed: duplicate node name found, please use a unique name for this node")

// joinEtcd becomes a member of the cluster that the server URL leads to.
func (s *server) joinEtcd(ctx context.Context) error {
	logInfo("Managed etcd cluster not yet initialized")
	way, err := connect(ctx, s.cfg.ServerURL, s.cfg.Token, "server")
	if err != nil {
		return fmt.Errorf("failed to bootstrap cluster data: %w", err)
	}
	if err := s.compareConfig(ctx, way); err != nil {
		return fmt.Errorf("failed to bootstrap cluster data: failed to validate server configuration: %w", err)
	}
	text, err := way.get(ctx, "/v1-k3s/server-bootstrap")
	if err != nil {
		return fmt.Errorf("failed to bootstrap cluster data: %w", err)
	}
	files := bundle{}
	if err := json.Unmarshal(text, &files); err != nil {
		return err
	}
	if err := files.write(s.dir); err != nil {
		return err
	}
	name, err := s.etcdName()
	if err != nil {
		return err
	}
	if err := s.issueEtcdCertificates(); err != nil {
		return err
	}
	initial, err := s.addSelf(ctx, way, name)
	if err != nil {
		return err
	}
	if err := s.startEtcd(ctx, name, initial, "existing"); err != nil {
		return err
	}
	return s.bootstrapFromStore(ctx)
}

func (s *server) compareConfig(ctx context.Context, way *access) error {
	text, err := way.get(ctx, "/v1-k3s/config")
	if err != nil {
		return err
	}
	var theirs clusterConfig
	if err := json.Unmarshal(text, &theirs); err != nil {
		return err
	}
	names := s.clusterConfig().mismatches(theirs)
	for _, name := range names {
		logWarn("critical configuration mismatched: %s", name)
	}
	if len(names) > 0 {
		return errors.New("critical configuration value mismatch between servers")
	}
	return nil
}

// addSelf has the cluster take this server as a learner, and answers etcd's initial-cluster.
func (s *server) addSelf(ctx context.Context, way *access, name string) (string, error) {
	var initial string
	report := func(err error) { logInfo("Waiting for other members to finish joining etcd cluster: %v", err) }
	err := retry(ctx, 2*time.Second, report, func() error {
		var members []*pb.Member
		text, err := way.get(ctx, "/db/info")
		if err == nil {
			err = json.Unmarshal(text, &members)
		}
		if err != nil {
			logInfo("Waiting to retrieve etcd cluster member list: failed to get MemberList from server: %v", err)
			return err
		}
		initial, err = s.addSelfTo(ctx, members, name)
		if errors.Is(err, errDuplicateName) {
			_ = os.Remove(s.path("db/etcd/name"))
			logFatal("%v", err)
		}
		return err
	})
	return initial, err
}

func (s *server) addSelfTo(ctx context.Context, members []*pb.Member, name string) (string, error) {
	plan, err := planJoin(members, s.node.name, name, s.peerURL())
	if err != nil {
		return "", err
	}
	if plan.add {
		client, err := s.localEtcd().client(plan.clientURLs...)
		if err != nil {
			return "", err
		}
		defer client.Close()
		logInfo("Adding member %s=%s to etcd cluster %v", name, s.peerURL(), plan.initial)
		attempt, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if _, err := client.MemberAddAsLearner(attempt, []string{s.peerURL()}); err != nil {
			return "", err
		}
	}
	initial := strings.Join(append(plan.initial, name+"="+s.peerURL()), ",")
	logInfo("Starting etcd to join cluster with members [%s]", initial)
	return initial, nil
}

// joinPlan is what a server has to do about the member list it finds.
type joinPlan struct {
	initial    []string // NAME=URL of the other members
	clientURLs []string
	add        bool // not yet listed
}

func planJoin(members []*pb.Member, nodeName, memberName, peerURL string) (joinPlan, error) {
	plan := joinPlan{add: true}
	for _, member := range members {
		mine := len(member.PeerURLs) > 0 && member.PeerURLs[0] == peerURL
		switch {
		case mine && (member.Name == "" || member.Name == memberName):
			plan.add = false // added before, by a start that did not get further
			continue
		case memberNode(member.Name) == nodeName || mine:
			return plan, errDuplicateName
		}
		for _, url := range member.PeerURLs {
			plan.initial = append(plan.initial, member.Name+"="+url)
		}
		if !member.IsLearner {
			plan.clientURLs = append(plan.clientURLs, member.ClientURLs...)
		}
	}
	return plan, nil
}

// memberNode is the node part of a member's name, NODE-<8 hex>.
func memberNode(member string) string {
	if i := strings.LastIndex(member, "-"); i > 0 {
		return member[:i]
	}
	return member
}
