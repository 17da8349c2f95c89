// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/scrypt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	headerNodeName     = "k3s-Node-Name"
	headerNodePassword = "k3s-Node-Password"
	headerNodeIP       = "k3s-Node-IP"

	nodePasswordSuffix = ".node-password.k3s"
	nodePasswordType   = "k3s.cattle.io/node-password"
)

// refusal is an error with the HTTP status it is answered with.
type refusal struct {
	code    int
	message string
}

func (r *refusal) Error() string { return r.message }

func (s *server) serveServingKubelet(w http.ResponseWriter, r *http.Request) {
	name, err := s.verifyNode(r)
	if err != nil {
		refuse(w, err)
		return
	}
	names := []string{name, "localhost", "127.0.0.1", "::1"}
	if addresses := r.Header.Get(headerNodeIP); addresses != "" {
		names = append(names, strings.Split(addresses, ",")...)
	}
	s.signRequest(w, r, s.serverCA, leaf{name: name, names: names})
}

func (s *server) serveClientKubelet(w http.ResponseWriter, r *http.Request) {
	name, err := s.verifyNode(r)
	if err != nil {
		refuse(w, err)
		return
	}
	s.signRequest(w, r, s.clientCA, leaf{name: "system:node:" + name, groups: []string{groupNodes}})
}

func (s *server) signFor(want leaf) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.signRequest(w, r, s.clientCA, want) }
}

func refuse(w http.ResponseWriter, err error) {
	var known *refusal
	if errors.As(err, &known) {
		fail(w, known.code, known.message)
		return
	}
	fail(w, http.StatusInternalServerError, err.Error())
}

// signRequest signs the key of the DER request in the body, whatever else that request says.
func (s *server) signRequest(w http.ResponseWriter, r *http.Request, by *authority, want leaf) {
	der, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	request, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = request.CheckSignature()
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid certificate request: "+err.Error())
		return
	}
	text, err := by.sign(want, request.PublicKey)
	if err != nil {
		refuse(w, err)
		return
	}
	_, _ = w.Write(text)
}

// verifyNode answers the name of the node that asks, once it has proved to be that node.
func (s *server) verifyNode(r *http.Request) (string, error) {
	name, password := r.Header.Get(headerNodeName), r.Header.Get(headerNodePassword)
	switch {
	case name == "":
		return "", &refusal{http.StatusBadRequest, "node name not set"}
	case password == "":
		return "", &refusal{http.StatusBadRequest, "node password not set"}
	case !s.apiReady.Load():
		return "", &refusal{http.StatusServiceUnavailable, "apiserver not ready"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), 8*time.Second)
	defer cancel()
	if who := callerOf(r); slices.Contains(who.groups, groupNodes) {
		if who.name != "system:node:"+name {
			return "", &refusal{http.StatusBadRequest, "header node name does not match auth node name"}
		}
		if _, err := s.kube.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{}); err != nil {
			return "", &refusal{http.StatusUnauthorized, "unable to verify node identity"}
		}
	}
	if err := s.checkNodePassword(ctx, name, password); err != nil {
		return "", &refusal{http.StatusForbidden, fmt.Sprintf("unable to verify password for node %s: %v", name, err)}
	}
	return name, nil
}

// checkNodePassword compares with the password that came first under this name.
func (s *server) checkNodePassword(ctx context.Context, node, password string) error {
	secrets := s.kube.CoreV1().Secrets("kube-system")
	found, err := secrets.Get(ctx, node+nodePasswordSuffix, metav1.GetOptions{})
	if err == nil {
		return verifyPasswordHash(string(found.Data["hash"]), password)
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	hash, err := passwordHash(password, randomHex(8))
	if err != nil {
		return err
	}
	immutable := true
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: node + nodePasswordSuffix}, Type: nodePasswordType,
		Immutable: &immutable, Data: map[string][]byte{"hash": []byte(hash)},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return s.checkNodePassword(ctx, node, password)
	}
	return err
}

// passwordHash is `$1:<salt>:15:8:1:<scrypt>`.
func passwordHash(password, salt string) (string, error) {
	key, err := scrypt.Key([]byte(password), []byte(salt), 1<<15, 8, 1, 64)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$1:%s:15:8:1:%s", salt, base64.RawStdEncoding.EncodeToString(key)), nil
}

func verifyPasswordHash(hash, password string) error {
	fields := strings.Split(hash, ":")
	if len(fields) != 6 || fields[0] != "$1" {
		return errors.New("password hash has an unknown form")
	}
	again, err := passwordHash(password, fields[1])
	if err != nil {
		return err
	}
	if !samePassword(hash, again) {
		return errors.New("hash does not match")
	}
	return nil
}
