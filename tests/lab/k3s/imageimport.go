// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"compress/bzip2"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// importImages takes in the archives that lie beside the binary; a broken one is told and passed over.
func (a *agent) importImages(ctx context.Context) {
	entries, err := os.ReadDir(a.path("images"))
	if err != nil {
		logError("Error encountered while importing images: %v", err)
		return
	}
	for _, entry := range entries {
		if !entry.IsDir() && decompressor(entry.Name()) != nil {
			a.importImage(ctx, a.path(filepath.Join("images", entry.Name())))
		}
	}
}

// decompressor answers how to read an archive of this name, or nil if it is none.
func decompressor(name string) func(io.Reader) (io.Reader, error) {
	for _, kind := range []struct {
		suffixes []string
		open     func(io.Reader) (io.Reader, error)
	}{
		{[]string{".tar"}, func(r io.Reader) (io.Reader, error) { return r, nil }},
		{[]string{".tar.gz", ".tgz"}, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{[]string{".tar.bz2", ".tbz"}, func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
		{[]string{".tar.zst", ".tzst"}, func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }},
	} {
		for _, suffix := range kind.suffixes {
			if strings.HasSuffix(name, suffix) {
				return kind.open
			}
		}
	}
	return nil
}

func (a *agent) readArchive(ctx context.Context, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	archive, err := decompressor(file)(in)
	if err != nil {
		return err
	}
	return a.ctr(ctx, archive, "images", "import", "--all-platforms", "-")
}

// importImage imports an archive unless it is the one imported before. The images are pinned: no registry could bring them back.
func (a *agent) importImage(ctx context.Context, file string) {
	info, err := os.Stat(file)
	if err != nil {
		logError("Error encountered while importing %s: %v", file, err)
		return
	}
	stamp := fmt.Sprintf("%d %d\n", info.Size(), info.ModTime().UnixNano())
	mark := a.path(filepath.Join("containerd", "imported-"+filepath.Base(file)))
	if old, err := os.ReadFile(mark); err == nil && string(old) == stamp {
		return
	}
	start := time.Now()
	logInfo("Importing images from %s", file)
	err = a.readArchive(ctx, file)
	if err == nil {
		err = a.pinImages(ctx)
	}
	if err == nil {
		err = writeFile(mark, []byte(stamp), 0o600)
	}
	if err != nil {
		logError("Error encountered while importing %s: %v", file, err)
		return
	}
	logInfo("Imported images from %s in %s", file, time.Since(start).Round(time.Millisecond))
}

func (a *agent) pinImages(ctx context.Context) error {
	list, err := exec.CommandContext(ctx, filepath.Join(a.family.bin, "ctr"), "--address", containerdSocket, "--namespace", "k8s.io", "images", "list", "-q").Output()
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(list)) {
		if strings.HasPrefix(name, "sha256:") {
			continue
		}
		if err := a.ctr(ctx, nil, "images", "label", name, "io.cri-containerd.pinned=pinned"); err != nil {
			return err
		}
	}
	return nil
}
