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
	"strings"

	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// runTokenCommand is `k3s token`, of which this double knows `rotate`.
func runTokenCommand(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "rotate" {
		return errors.New("of k3s token this double knows `rotate` only")
	}
	var dataDir, current, url, next string
	flags := pflag.NewFlagSet("k3s token rotate", pflag.ContinueOnError)
	flags.StringVarP(&dataDir, "data-dir", "d", defaultDataDir, "state of k3s")
	flags.StringVarP(&current, "token", "t", "", "the token of now")
	flags.StringVarP(&url, "server", "s", "https://127.0.0.1:6443", "server to tell")
	flags.StringVar(&next, "new-token", "", "the token to come; made up where there is none")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if err := readEnvironment(flags); err != nil {
		return err
	}
	fmt.Println("\033[33mWARNING\033[0m: Recommended to keep a record of the old token. " +
		"If restoring from a snapshot, you must use the token associated with that snapshot.")
	if current == "" {
		text, err := os.ReadFile(filepath.Join(dataDir, "server", "token"))
		if err != nil {
			return err
		}
		current = strings.TrimSpace(string(text))
	}
	way, err := connect(ctx, url, current, "server")
	if err != nil {
		return err
	}
	body, err := json.Marshal(tokenRequest{next})
	if err != nil {
		return err
	}
	if _, err := way.do(ctx, http.MethodPut, "/v1-k3s/token", body, nil); err != nil {
		return err
	}
	fmt.Println("Token rotated, restart k3s nodes with new token")
	return nil
}

type tokenRequest struct {
	NewToken string `json:"newToken"`
}

// serveToken takes a new token. Callers of this server go on with the old one until it restarts, as in k3s.
func (s *server) serveToken(w http.ResponseWriter, r *http.Request) {
	var request tokenRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := s.rotateToken(r.Context(), request.NewToken); err != nil {
		failWithID(w, "token", err)
	}
}

// failWithID hides what went wrong from the caller and tells the log.
func failWithID(w http.ResponseWriter, component string, err error) {
	id := fmt.Sprintf("%s error ID %s", component, randomHex(3))
	logError("%s: %v", id, err)
	fail(w, http.StatusInternalServerError, id)
}

func (s *server) rotateToken(ctx context.Context, next string) error {
	if next == "" {
		next = randomHex(16)
	}
	if _, err := normalizeToken(next); err != nil || strings.HasPrefix(next, tokenPrefix) {
		return errors.New("failed to normalize server token; must be in format K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>")
	}
	text, err := os.ReadFile(s.path("cred/passwd"))
	if err != nil {
		return err
	}
	users, current, err := changeServerPassword(string(text), next, s.cfg.AgentToken == "")
	if err != nil {
		return err
	}
	if err := writeFile(s.path("cred/passwd"), []byte(users), 0o600); err != nil {
		return err
	}
	full := formatToken(s.serverCA.certPEM, "server", next)
	if err := writeFile(s.path("token"), []byte(full+"\n"), 0o600); err != nil {
		return err
	}
	client, err := s.store.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return rotateBundle(ctx, client, current, next)
}

// changeServerPassword answers the password file with another server's password, and the one it had. Agents that shared it get the new one.
func changeServerPassword(users, next string, shared bool) (text, current string, err error) {
	lines := strings.Split(strings.TrimRight(users, "\n"), "\n")
	for _, line := range lines {
		if password, rest, _ := strings.Cut(line, ","); strings.HasPrefix(rest, "server,") {
			current = password
		}
	}
	if current == "" {
		return "", "", errors.New("server token not found")
	}
	for i, line := range lines {
		password, rest, _ := strings.Cut(line, ",")
		if strings.HasPrefix(rest, "server,") || shared && password == current {
			lines[i] = next + "," + rest
		}
	}
	return strings.Join(lines, "\n") + "\n", current, nil
}

// rotateBundle encrypts the bootstrap data anew. Where that was done before it only makes sure of it.
func rotateBundle(ctx context.Context, store *clientv3.Client, current, next string) error {
	answer, err := store.Get(ctx, bootstrapKey(current))
	if err != nil {
		return err
	}
	if current != next && len(answer.Kvs) > 0 {
		old := answer.Kvs[0]
		files, err := openBundle(current, string(old.Value))
		if err != nil {
			return err
		}
		if _, err := agreeOnBundle(ctx, store, next, files); err != nil {
			return err
		}
		key := string(old.Key)
		same := clientv3.Compare(clientv3.ModRevision(key), "=", old.ModRevision)
		if _, err := store.Txn(ctx).If(same).Then(clientv3.OpDelete(key)).Else(clientv3.OpGet(key)).Commit(); err != nil {
			return err
		}
	}
	files, err := loadBundle(ctx, store, next)
	if err == nil && files == nil {
		err = errors.New("no bootstrap data found")
	}
	return err
}
