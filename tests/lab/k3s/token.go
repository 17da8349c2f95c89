// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const tokenPrefix = "K10"

// token is a join token taken apart; caHash is empty in the short form.
type token struct{ caHash, user, password string }

// parseToken reads a token as a joining node gives it.
func parseToken(text string) (token, error) {
	if text == "" {
		return token{}, errors.New("token must not be empty")
	}
	if !strings.HasPrefix(text, tokenPrefix) || !strings.Contains(text, "::") {
		return token{password: text}, nil
	}
	hash, credentials, _ := strings.Cut(strings.TrimPrefix(text, tokenPrefix), "::")
	if len(hash) != sha256.Size*2 {
		return token{}, errors.New("invalid token CA hash length")
	}
	user, password, found := strings.Cut(credentials, ":")
	if !found || password == "" {
		return token{}, errors.New("invalid token format")
	}
	return token{hash, user, password}, nil
}

// normalizeToken reduces a server's own token to its password.
func normalizeToken(text string) (string, error) {
	if !strings.HasPrefix(text, tokenPrefix) {
		if strings.Contains(text, "::") {
			return "", errors.New("failed to normalize token; must be in format K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>")
		}
		return text, nil
	}
	parsed, err := parseToken(text)
	if err != nil || parsed.caHash == "" {
		return "", errors.New("failed to normalize token; must be in format K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>")
	}
	return parsed.password, nil
}

func formatToken(caPEM []byte, user, password string) string {
	return tokenPrefix + caHash(caPEM) + "::" + user + ":" + password
}

// caHash is the hash in a full token: of the PEM text of a single certificate, or of the last certificate of a chain.
func caHash(caPEM []byte) string {
	first, rest := pem.Decode(caPEM)
	root := first
	for block := root; block != nil; block, rest = pem.Decode(rest) {
		root = block
	}
	sum := sha256.Sum256(caPEM)
	if root != nil && !bytes.Equal(root.Bytes, first.Bytes) {
		sum = sha256.Sum256(root.Bytes)
	}
	return hex.EncodeToString(sum[:])
}

func randomHex(bytes int) string {
	buffer := make([]byte, bytes)
	if _, err := rand.Read(buffer); err != nil {
		logFatal("no random numbers: %v", err)
	}
	return hex.EncodeToString(buffer)
}

// access is a trusted way to a supervisor.
type access struct {
	base     string
	caPEM    []byte
	user     string
	password string
	client   *http.Client
}

// httpError is an answer other than success.
type httpError struct {
	url    string
	code   int
	status string
	text   string
}

func (e *httpError) Error() string { return e.url + ": " + e.status }

func statusCode(err error) int {
	var answer *httpError
	if errors.As(err, &answer) {
		return answer.code
	}
	return 0
}

// connect fetches the CA from base, checks it against the token's hash, and returns the way in for user.
func connect(ctx context.Context, base, tokenText, user string) (*access, error) {
	parsed, err := parseToken(tokenText)
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("invalid server url, failed to parse: %s: %w", base, err)
	}
	if address.Scheme != "https" {
		return nil, fmt.Errorf("only https:// URLs are supported, invalid scheme: %s", base)
	}
	base = strings.TrimRight(base, "/")
	insecure := &access{base: base, client: newHTTPClient(&tls.Config{InsecureSkipVerify: true})} // the hash in the token vouches for it
	caPEM, err := insecure.do(ctx, http.MethodGet, "/cacerts", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	if parsed.caHash == "" {
		logWarn("Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. " +
			"Use the full token from the server's node-token file to enable Cluster CA validation.")
	} else if found := caHash(caPEM); found != parsed.caHash {
		return nil, fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", parsed.caHash, found)
	}
	return newAccess(base, caPEM, user, parsed.password)
}

func newAccess(base string, caPEM []byte, user, password string) (*access, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(caPEM) {
		return nil, errors.New("CA cert validation failed: no certificate found")
	}
	return &access{base, caPEM, user, password, newHTTPClient(&tls.Config{RootCAs: pool})}, nil
}

// withCertificate is the same way in, proved by a client certificate instead of the token.
func (a *access) withCertificate(certificate tls.Certificate) (*access, error) {
	other, err := newAccess(a.base, a.caPEM, "", "")
	if err != nil {
		return nil, err
	}
	other.client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{certificate}
	return other, nil
}

func newHTTPClient(config *tls.Config) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, MaxIdleConns: 2, IdleConnTimeout: 30 * time.Second}}
}

func (a *access) get(ctx context.Context, path string) ([]byte, error) {
	return a.do(ctx, http.MethodGet, path, nil, nil)
}

func (a *access) do(ctx context.Context, method, path string, body []byte, headers map[string]string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if a.password != "" {
		request.SetBasicAuth(a.user, a.password)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, &httpError{a.base + path, response.StatusCode, response.Status, string(text)}
	}
	return text, nil
}
