// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	snapshotDeadline  = 2 * time.Minute
	snapshotRetention = 5
)

var (
	errSnapshotInProgress = errors.New("snapshot save already in progress")
	snapshotPattern       = regexp.MustCompile(`^(.+)-(\d+)$`)
)

// snapshotRequest is what `k3s etcd-snapshot` asks of the server that runs.
type snapshotRequest struct {
	Operation string   `json:"operation"`
	Name      []string `json:"name,omitempty"`
	Dir       string   `json:"dir,omitempty"`
	Retention int      `json:"retention,omitempty"`
}

// snapshotAnswer is what became of a save, a delete or a prune.
type snapshotAnswer struct {
	Created []string `json:"created,omitempty"`
	Deleted []string `json:"deleted,omitempty"`
}

// snapshotFile has the form of k3s's ETCDSnapshotFile.
type snapshotFile struct {
	metav1.TypeMeta `json:",inline"`
	Spec            snapshotSpec   `json:"spec"`
	Status          snapshotStatus `json:"status"`
}

type snapshotSpec struct {
	SnapshotName string `json:"snapshotName"`
	NodeName     string `json:"nodeName"`
	Location     string `json:"location"`
}

type snapshotStatus struct {
	Size         string      `json:"size"`
	CreationTime metav1.Time `json:"creationTime"`
	ReadyToUse   bool        `json:"readyToUse"`
}

type snapshotList struct {
	metav1.TypeMeta `json:",inline"`
	Items           []snapshotFile `json:"items"`
}

// snapshots are those of one server's etcd, in one directory.
type snapshots struct {
	dir  string
	node string
}

// saving lets one snapshot be taken at a time.
var saving sync.Mutex

func (s *server) serveSnapshots(w http.ResponseWriter, r *http.Request) {
	var request snapshotRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	answer, err := s.handleSnapshots(r.Context(), request)
	if err != nil {
		logError("etcd-snapshot: %v", err)
		fail(w, http.StatusInternalServerError, fmt.Sprintf("%v, see server log for details", err))
		return
	}
	answerJSON(w, answer)
}

func (s *server) handleSnapshots(ctx context.Context, request snapshotRequest) (any, error) {
	own := snapshots{dir: request.Dir, node: s.node.name}
	if own.dir == "" {
		own.dir = s.path("db/snapshots")
	}
	switch request.Operation {
	case "save":
		return own.save(ctx, s.store, snapshotName(request), request.Retention)
	case "list":
		return own.list()
	case "delete":
		return own.delete(request.Name)
	case "prune":
		return own.prune(snapshotName(request), request.Retention)
	}
	return nil, fmt.Errorf("unknown operation %q", request.Operation)
}

func snapshotName(request snapshotRequest) string {
	if len(request.Name) == 0 {
		return "on-demand"
	}
	return request.Name[0]
}

// save takes a snapshot, and then drops the oldest of the same name that are more than the retention.
func (own snapshots) save(ctx context.Context, store datastore, name string, retention int) (snapshotAnswer, error) {
	if !saving.TryLock() {
		return snapshotAnswer{}, errSnapshotInProgress
	}
	defer saving.Unlock()
	if err := os.MkdirAll(own.dir, 0o700); err != nil {
		return snapshotAnswer{}, err
	}
	tls, err := store.tlsConfig()
	if err != nil {
		return snapshotAnswer{}, err
	}
	file := fmt.Sprintf("%s-%s-%d", name, own.node, time.Now().Unix())
	config := clientv3.Config{Endpoints: []string{store.endpoint}, TLS: tls, DialTimeout: 5 * time.Second}
	if _, err := snapshot.NewV3(zap.NewNop()).Save(ctx, config, filepath.Join(own.dir, file)); err != nil {
		return snapshotAnswer{}, err
	}
	logInfo("Saving etcd snapshot to %s", filepath.Join(own.dir, file))
	pruned, err := own.prune(name, retention)
	return snapshotAnswer{Created: []string{file}, Deleted: pruned.Deleted}, err
}

func (own snapshots) list() (snapshotList, error) {
	list := snapshotList{TypeMeta: metav1.TypeMeta{Kind: "List", APIVersion: "v1"}, Items: []snapshotFile{}}
	entries, err := os.ReadDir(own.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return list, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || entry.IsDir() || filepath.Ext(entry.Name()) == ".part" {
			continue
		}
		list.Items = append(list.Items, snapshotFile{
			TypeMeta: metav1.TypeMeta{Kind: "ETCDSnapshotFile", APIVersion: "k3s.cattle.io/v1"},
			Spec:     snapshotSpec{entry.Name(), own.node, "file://" + filepath.Join(own.dir, entry.Name())},
			Status:   snapshotStatus{strconv.FormatInt(info.Size(), 10), metav1.NewTime(info.ModTime().UTC().Truncate(time.Second)), true},
		})
	}
	slices.SortStableFunc(list.Items, func(a, b snapshotFile) int { return a.Status.CreationTime.Compare(b.Status.CreationTime.Time) })
	return list, nil
}

// delete removes those that are there; a name that is not is no error, as in k3s.
func (own snapshots) delete(names []string) (snapshotAnswer, error) {
	answer := snapshotAnswer{}
	for _, name := range names {
		err := os.Remove(filepath.Join(own.dir, filepath.Base(name)))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return answer, err
		}
		answer.Deleted = append(answer.Deleted, name)
	}
	return answer, nil
}

func (own snapshots) prune(name string, retention int) (snapshotAnswer, error) {
	list, err := own.list()
	if err != nil {
		return snapshotAnswer{}, err
	}
	var files []string
	for _, item := range list.Items {
		files = append(files, item.Spec.SnapshotName)
	}
	return own.delete(surplusSnapshots(files, name+"-"+own.node, retention))
}

// surplusSnapshots are the oldest of the files named PREFIX-<time>, beyond as many as are kept.
func surplusSnapshots(files []string, prefix string, keep int) []string {
	if keep <= 0 {
		keep = snapshotRetention
	}
	var same []string
	for _, file := range files {
		if match := snapshotPattern.FindStringSubmatch(file); match != nil && match[1] == prefix {
			same = append(same, file)
		}
	}
	slices.Sort(same) // the times have the same number of digits until 2286
	return same[:max(0, len(same)-keep)]
}
