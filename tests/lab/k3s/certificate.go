// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
)

// certificateFiles are the leaf certificates of each service, by path below the data directory and without suffix.
var certificateFiles = map[string][]string{
	"admin":      {"server/tls/client-admin"},
	"api-server": {"server/tls/client-kube-apiserver", "server/tls/serving-kube-apiserver"},
	"auth-proxy": {"server/tls/client-auth-proxy"}, "cloud-controller": {},
	"controller-manager": {"server/tls/client-controller"},
	"etcd":               {"server/tls/etcd/client", "server/tls/etcd/server-client", "server/tls/etcd/peer-server-client"},
	"scheduler":          {"server/tls/client-scheduler"}, "supervisor": {"server/tls/client-supervisor"},
	"k3s-server":     {}, // its certificate is made anew at the start that finds the trigger file
	"kube-proxy":     {"server/tls/client-kube-proxy", "agent/client-kube-proxy"},
	"kubelet":        {"agent/client-kubelet", "agent/serving-kubelet"},
	"k3s-controller": {"server/tls/client-k3s-controller", "agent/client-k3s-controller"},
}

var agentServices = []string{"k3s-controller", "kube-proxy", "kubelet"}

const regenerateTrigger = "tls/dynamic-cert-regenerate"

// runCertificateCommand is `k3s certificate`, which reads and moves files and needs no server.
func runCertificateCommand(args []string) error {
	if len(args) == 0 || args[0] != "check" && args[0] != "rotate" {
		return errors.New("of k3s certificate this double knows `check` and `rotate` only")
	}
	var dataDir, output string
	var services []string
	flags := pflag.NewFlagSet("k3s certificate "+args[0], pflag.ContinueOnError)
	flags.StringVarP(&dataDir, "data-dir", "d", defaultDataDir, "state of k3s")
	flags.StringSliceVarP(&services, "service", "s", nil, "services, where not all are meant")
	if args[0] == "check" {
		flags.StringVarP(&output, "output", "o", "text", "text, table or json")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if err := readEnvironment(flags); err != nil {
		return err
	}
	services, err := chooseServices(dataDir, services, map[string]string{"check": "checking", "rotate": "rotating"}[args[0]])
	if err != nil {
		return err
	}
	if args[0] == "rotate" {
		return rotateCertificates(dataDir, services)
	}
	return printCertificates(os.Stdout, output, collectCertificates(dataDir, services, time.Now()))
}

func chooseServices(dataDir string, named []string, verb string) ([]string, error) {
	for _, name := range named {
		if _, known := certificateFiles[name]; !known {
			return nil, fmt.Errorf("service %s is not recognized", name)
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	if _, err := os.Stat(filepath.Join(dataDir, "server")); err != nil {
		logInfo("Agent detected, %s agent certificates", verb)
		return agentServices, nil
	}
	logInfo("Server detected, %s agent and server certificates", verb)
	for name := range certificateFiles {
		named = append(named, name)
	}
	slices.Sort(named)
	return named, nil
}

// certificateInfo is one line of the report.
type certificateInfo struct {
	Filename, Subject, Issuer string
	Usages                    []string
	ExpiryTime                time.Time
	ResidualTime              time.Duration
	Status                    string
}

func collectCertificates(dataDir string, services []string, now time.Time) []certificateInfo {
	found := []certificateInfo{}
	for _, service := range services {
		for _, path := range certificateFiles[service] {
			text, err := os.ReadFile(filepath.Join(dataDir, path+".crt"))
			if err != nil {
				continue
			}
			for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
				if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
					found = append(found, describeCertificate(filepath.Base(path)+".crt", certificate, now))
				}
			}
		}
	}
	return found
}

func describeCertificate(file string, certificate *x509.Certificate, now time.Time) certificateInfo {
	info := certificateInfo{
		Filename: file, Subject: certificate.Subject.CommonName, Issuer: certificate.Issuer.CommonName, Usages: usagesOf(certificate),
		ExpiryTime: certificate.NotAfter, ResidualTime: certificate.NotAfter.Sub(now), Status: "OK",
	}
	switch {
	case now.Before(certificate.NotBefore):
		info.ExpiryTime, info.Status = certificate.NotBefore, "NOT YET VALID"
	case now.After(certificate.NotAfter):
		info.Status = "EXPIRED"
	case now.Add(renewBefore).After(certificate.NotAfter):
		info.Status = "WARNING"
	}
	return info
}

func usagesOf(certificate *x509.Certificate) []string {
	usages := []string{}
	if certificate.KeyUsage&x509.KeyUsageCertSign != 0 {
		usages = append(usages, "CertSign")
	}
	for _, usage := range certificate.ExtKeyUsage {
		switch usage {
		case x509.ExtKeyUsageServerAuth:
			usages = append(usages, "ServerAuth")
		case x509.ExtKeyUsageClientAuth:
			usages = append(usages, "ClientAuth")
		}
	}
	if len(usages) == 0 {
		usages = append(usages, "Unknown")
	}
	return usages
}

func printCertificates(out io.Writer, format string, found []certificateInfo) error {
	switch format {
	case "text":
		for _, one := range found {
			one.log()
		}
		return nil
	case "json":
		return json.NewEncoder(out).Encode(map[string]any{"Certificates": found})
	case "table":
		table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		fmt.Fprint(table, "\nFILENAME\tSUBJECT\tUSAGES\tEXPIRES\tRESIDUAL TIME\tSTATUS\n--------\t-------\t------\t-------\t-------------\t------\n")
		for _, one := range found {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d days\t%s\n", one.Filename, one.Subject, strings.Join(one.Usages, ","),
				one.ExpiryTime.Format("Jan 02, 2006 15:04 MST"), int(one.ResidualTime.Hours()/24), one.Status)
		}
		return table.Flush()
	}
	return fmt.Errorf("invalid output format %s", format)
}

func (c certificateInfo) log() {
	subject := fmt.Sprintf("%s: certificate %s (%s)", c.Filename, c.Subject, strings.Join(c.Usages, ","))
	date := c.ExpiryTime.Format(time.RFC3339)
	switch c.Status {
	case "NOT YET VALID":
		logError("%s is not valid before %s", subject, date)
	case "EXPIRED":
		logError("%s expired at %s", subject, date)
	case "WARNING":
		logWarn("%s will expire within %d days at %s", subject, int(renewBefore.Hours()/24), date)
	default:
		logInfo("%s is ok, expires at %s", subject, date)
	}
}

// rotateCertificates puts certificates and keys aside; the next start makes new ones.
func rotateCertificates(dataDir string, services []string) error {
	backup, err := backUpCertificates(dataDir, services)
	if err != nil {
		return err
	}
	if slices.Contains(services, "k3s-server") {
		if err := writeFile(filepath.Join(dataDir, "server", regenerateTrigger), nil, 0o600); err != nil {
			return err
		}
		logInfo("Rotating dynamic listener certificate")
	}
	for _, service := range services {
		logInfo("Rotating certificates for %s", service)
		for _, path := range certificateFiles[service] {
			for _, suffix := range []string{".crt", ".key"} {
				if err := os.RemoveAll(filepath.Join(dataDir, path+suffix)); err != nil {
					return err
				}
			}
		}
	}
	logInfo("Successfully backed up certificates to %s, please restart k3s server or agent to rotate certificates", backup)
	return nil
}

func backUpCertificates(dataDir string, services []string) (string, error) {
	name := fmt.Sprintf("tls-%d", time.Now().Unix())
	backup := filepath.Join(dataDir, "agent", name)
	if tls := filepath.Join(dataDir, "server", "tls"); exists(tls) {
		backup = filepath.Join(dataDir, "server", name)
		if err := os.CopyFS(backup, os.DirFS(tls)); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(backup, 0o700); err != nil {
		return "", err
	}
	for _, service := range services {
		for _, path := range certificateFiles[service] {
			if !strings.HasPrefix(path, "agent/") {
				continue
			}
			for _, suffix := range []string{".crt", ".key"} {
				content, err := os.ReadFile(filepath.Join(dataDir, path+suffix))
				if errors.Is(err, os.ErrNotExist) {
					continue
				}
				if err == nil {
					err = writeFile(filepath.Join(backup, filepath.Base(path)+suffix), content, 0o600)
				}
				if err != nil {
					return "", err
				}
			}
		}
	}
	return backup, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// obeyRegenerateTrigger has the certificate of port 6443 made anew, as `k3s certificate rotate` asked for.
func (s *server) obeyRegenerateTrigger() error {
	if !exists(s.path(regenerateTrigger)) {
		return nil
	}
	return errors.Join(os.RemoveAll(s.path("tls/serving-k3s.crt")), os.Remove(s.path(regenerateTrigger)))
}
