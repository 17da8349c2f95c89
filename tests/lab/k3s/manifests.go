// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed manifests
var packaged embed.FS

// stageManifests writes the packaged components' manifests, but not those that are disabled or marked with .skip.
func (s *server) stageManifests() error {
	storage := s.cfg.LocalStoragePath
	if storage == "" {
		storage = filepath.Join(s.cfg.DataDir, "storage")
	}
	fill := strings.NewReplacer(
		"%{CLUSTER_DNS}%", s.cfg.ClusterDNS, "%{CLUSTER_DOMAIN}%", s.cfg.ClusterDomain, "%{DEFAULT_LOCAL_STORAGE_PATH}%", storage,
		"%{IMAGE_COREDNS}%", coreDNSImage, "%{IMAGE_LOCAL_PATH}%", localPathImage,
		"%{IMAGE_METRICS_SERVER}%", metricsServerImage, "%{IMAGE_BUSYBOX}%", busyboxImage)
	return fs.WalkDir(packaged, "manifests", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		target := s.path(path)
		if s.cfg.disabled(componentOf(path)) {
			err := os.Remove(target)
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		}
		if _, err := os.Stat(target + ".skip"); err == nil {
			return nil
		}
		content, err := packaged.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		logInfo("Writing manifest: %s", target)
		return writeFile(target, []byte(fill.Replace(string(content))), 0o600)
	})
}

// componentOf is the name under which `disable` knows a manifest: its directory's, or its own without suffix.
func componentOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "manifests/"), "/")
	return strings.TrimSuffix(first, ".yaml")
}
