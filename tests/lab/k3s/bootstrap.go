// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const bootstrapPrefix = "/bootstrap/"

var errDifferentToken = errors.New("bootstrap data already found and encrypted with different token")

// authorities are the CAs every server of a cluster shares, by path below the server directory, with the names they carry.
var authorities = map[string]string{
	"tls/client-ca": "k3s-client-ca", "tls/server-ca": "k3s-server-ca", "tls/request-header-ca": "k3s-request-header-ca",
	"tls/etcd/server-ca": "etcd-server-ca", "tls/etcd/peer-ca": "etcd-peer-ca",
}

// bundle is the secret files that every server of a cluster shares, by path below the server directory.
type bundle map[string][]byte

func newBundle() (bundle, error) {
	files := bundle{"cred/ipsec.psk": []byte(randomHex(48))}
	for path, name := range authorities {
		certificate, key, err := newAuthority(name, time.Now())
		if err != nil {
			return nil, err
		}
		files[path+".crt"], files[path+".key"] = certificate, key
	}
	key, err := newServiceAccountKey()
	files["tls/service.key"], files["tls/service.current.key"] = key, key
	return files, err
}

func (b bundle) write(dir string) error {
	for path, content := range b {
		if !filepath.IsLocal(path) {
			return fmt.Errorf("bootstrap data names %s, outside of the server directory", path)
		}
		mode := os.FileMode(0o600)
		if strings.HasSuffix(path, ".crt") {
			mode = 0o644
		}
		if err := writeFile(filepath.Join(dir, path), content, mode); err != nil {
			return err
		}
	}
	return nil
}

// readBundle reads the shared files back from a server's own disk.
func readBundle(dir string) (bundle, error) {
	paths := []string{"cred/ipsec.psk", "tls/service.key", "tls/service.current.key"}
	for path := range authorities {
		paths = append(paths, path+".crt", path+".key")
	}
	files := bundle{}
	for _, path := range paths {
		content, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		files[path] = content
	}
	return files, nil
}

func bootstrapKey(password string) string {
	sum := sha256.Sum256([]byte(password))
	return bootstrapPrefix + hex.EncodeToString(sum[:])[:12]
}

func bootstrapCipher(password, salt string) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha1.New, password, []byte(salt), 4096, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal encrypts the bundle with the token's password; open is its reverse.
func (b bundle) seal(password string) (string, error) {
	plain, err := json.Marshal(b)
	if err != nil {
		return "", err
	}
	salt := randomHex(8)
	gcm, err := bootstrapCipher(password, salt)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return salt + ":" + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, nil)), nil
}

func openBundle(password, sealed string) (bundle, error) {
	salt, text, _ := strings.Cut(sealed, ":")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	gcm, err := bootstrapCipher(password, salt)
	if err != nil {
		return nil, err
	}
	if len(data) < gcm.NonceSize() {
		return nil, errors.New("bootstrap data is too short")
	}
	plain, err := gcm.Open(nil, data[:gcm.NonceSize()], data[gcm.NonceSize():], nil)
	if err != nil {
		return nil, errDifferentToken
	}
	files := bundle{}
	return files, json.Unmarshal(plain, &files)
}

// loadBundle reads the bundle from the datastore: nil if there is none, an error if there is one of another token.
func loadBundle(ctx context.Context, store *clientv3.Client, password string) (bundle, error) {
	answer, err := store.Get(ctx, bootstrapPrefix, clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("failed to read bootstrap data: %w", err)
	}
	for _, item := range answer.Kvs {
		if string(item.Key) == bootstrapKey(password) {
			return openBundle(password, string(item.Value))
		}
	}
	if len(answer.Kvs) > 0 {
		return nil, errDifferentToken
	}
	return nil, nil
}

// agreeOnBundle stores our bundle, unless a server that starts at the same time was first: then theirs is everybody's.
func agreeOnBundle(ctx context.Context, store *clientv3.Client, password string, ours bundle) (bundle, error) {
	sealed, err := ours.seal(password)
	if err != nil {
		return nil, err
	}
	key := bootstrapKey(password)
	absent := clientv3.Compare(clientv3.ModRevision(key), "=", 0)
	answer, err := store.Txn(ctx).If(absent).Then(clientv3.OpPut(key, sealed)).Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		return nil, fmt.Errorf("failed to write bootstrap data: %w", err)
	}
	if answer.Succeeded {
		return ours, nil
	}
	return loadBundle(ctx, store, password)
}
