// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"slices"
	"time"
)

const (
	leafLife    = 365 * 24 * time.Hour
	caLife      = 10 * leafLife
	renewBefore = 120 * 24 * time.Hour
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	certPEM     []byte
	key         crypto.Signer
}

// leaf is what a certificate shall say.
type leaf struct {
	name   string
	groups []string
	names  []string // DNS names and addresses; a serving certificate if there are any
	peer   bool     // serves and also presents itself to its like
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func newServiceAccountKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
}

// newAuthority makes a self-signed CA named NAME@<unix seconds>.
func newAuthority(name string, now time.Time) (certPEM, privatePEM []byte, err error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: fmt.Sprintf("%s@%d", name, now.Unix())},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(caLife), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	privatePEM, err = keyPEM(key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), privatePEM, err
}

func serial() *big.Int {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		logFatal("no random numbers: %v", err)
	}
	return number
}

// loadAuthority reads a CA from PATH.crt and PATH.key.
func loadAuthority(path string) (*authority, error) {
	pair, err := tls.LoadX509KeyPair(path+".crt", path+".key")
	if err != nil {
		return nil, err
	}
	certPEM, err := os.ReadFile(path + ".crt")
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, err
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the CA key cannot sign")
	}
	return &authority{certificate, certPEM, signer}, nil
}

// sign answers a certificate, with the CA appended, for a public key.
func (a *authority) sign(want leaf, public any) ([]byte, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: want.name, Organization: want.groups},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: want.usages(),
	}
	template.DNSNames, template.IPAddresses = want.split()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(text, a.certPEM...), nil
}

func (l leaf) usages() []x509.ExtKeyUsage {
	switch {
	case l.peer:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	case len(l.names) > 0:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

func (l leaf) split() (dns []string, addresses []net.IP) {
	for _, name := range l.names {
		if address := net.ParseIP(name); address != nil {
			addresses = append(addresses, address)
		} else {
			dns = append(dns, name)
		}
	}
	return dns, addresses
}

// ensure keeps PATH.crt and PATH.key valid: the key for ever, the certificate while it says what it should for long enough.
func (a *authority) ensure(path string, want leaf) error {
	key, err := ensureKey(path + ".key")
	if err != nil {
		return err
	}
	if text, err := os.ReadFile(path + ".crt"); err == nil && a.stillGood(text, want, key, time.Now()) {
		return nil
	}
	text, err := a.sign(want, key.Public())
	if err != nil {
		return err
	}
	return writeFile(path+".crt", text, 0o644)
}

func ensureKey(path string) (*ecdsa.PrivateKey, error) {
	if text, err := os.ReadFile(path); err == nil {
		if block, _ := pem.Decode(text); block != nil {
			if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
				return key, nil
			}
		}
		return nil, fmt.Errorf("%s holds no usable key", path)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	text, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	return key, writeFile(path, text, 0o600)
}

func (a *authority) stillGood(text []byte, want leaf, key *ecdsa.PrivateKey, now time.Time) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	found, err := x509.ParseCertificate(block.Bytes)
	if err != nil || found.CheckSignatureFrom(a.certificate) != nil || !key.PublicKey.Equal(found.PublicKey) {
		return false
	}
	dns, addresses := want.split()
	return found.NotAfter.Sub(now) > renewBefore && found.Subject.CommonName == want.name &&
		slices.Equal(found.Subject.Organization, want.groups) && slices.Equal(found.DNSNames, dns) &&
		slices.EqualFunc(found.IPAddresses, addresses, net.IP.Equal)
}

// writeFile replaces a file at once, and leaves it alone where it already is as wanted.
func writeFile(path string, content []byte, mode os.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return os.Chmod(path, mode)
	}
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, content, mode); err != nil {
		return err
	}
	if err := os.Chmod(temporary, mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
