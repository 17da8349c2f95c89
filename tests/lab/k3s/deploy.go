// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

const scanInterval = 15 * time.Second

// deployer applies the manifests directory to the cluster.
type deployer struct {
	server  *server
	client  dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
	failed  map[string]string // last error by file, to say each once
	applied func()
}

// deployManifests applies what lies in the manifests directory, looking every 15 s, and tells each time it applied something.
func (s *server) deployManifests(ctx context.Context, applied func()) {
	client, err := dynamic.NewForConfig(s.rest)
	if err != nil {
		logFatal("deploy controller: %v", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(s.kube.Discovery()))
	d := &deployer{s, client, mapper, map[string]string{}, applied}
	report := func(err error) { logWarn("addons.k3s.cattle.io: %v", err) }
	if retry(ctx, 2*time.Second, report, func() error { return d.ensureAddonType(ctx) }) != nil {
		return
	}
	if err := d.removeDisabled(ctx); err != nil {
		logError("disabling components: %v", err)
	}
	for {
		d.scan(ctx)
		pause := scanInterval
		if len(d.failed) > 0 {
			pause = 2 * time.Second // mostly a type or a name space that the next moment brings
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (d *deployer) ensureAddonType(ctx context.Context) error {
	objects, err := parseManifests([]byte(addonType))
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := d.apply(ctx, object); err != nil {
			return err
		}
	}
	d.mapper.Reset()
	_, err = d.client.Resource(addonResource).Namespace("kube-system").List(ctx, metav1.ListOptions{Limit: 1})
	return err
}

func (d *deployer) scan(ctx context.Context) {
	var files []string
	err := filepath.WalkDir(d.server.path("manifests"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".yaml", ".yml", ".json":
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		logError("manifests: %v", err)
	}
	sort.Strings(files)
	for _, path := range files {
		if _, err := os.Stat(path + ".skip"); err == nil {
			continue
		}
		err := d.process(ctx, path)
		switch {
		case err == nil:
			delete(d.failed, path)
		case d.failed[path] != err.Error():
			d.failed[path] = err.Error()
			logError("Failed to process config: failed to process %s: %v", path, err)
		}
	}
}

// process applies one file unless its Addon says that this very text was applied.
func (d *deployer) process(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	checksum := hex.EncodeToString(sum[:])
	name := addonName(path)
	addon, err := d.client.Resource(addonResource).Namespace("kube-system").Get(ctx, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	before := map[string]bool{}
	if err == nil {
		if found, _, _ := unstructured.NestedString(addon.Object, "spec", "checksum"); found == checksum {
			return nil
		}
		before = gvksOf(addon)
	}
	objects, err := parseManifests(text)
	if err != nil {
		return err
	}
	now := map[string]bool{}
	for _, object := range objects {
		markObject(object, name)
		if err := d.apply(ctx, object); err != nil {
			return err
		}
		now[gvkText(object.GroupVersionKind())] = true
	}
	for text := range now {
		before[text] = true
	}
	if err := d.prune(ctx, name, before, objects); err != nil {
		return err
	}
	if err := d.apply(ctx, newAddon(name, path, checksum, now)); err != nil {
		return err
	}
	d.applied()
	return nil
}

func (d *deployer) manager() string { return "deploy@" + d.server.node.name }

func (d *deployer) apply(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := d.resourceFor(object)
	if err != nil {
		return err
	}
	_, err = resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: d.manager(), Force: true})
	if err != nil {
		return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

func (d *deployer) resourceFor(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := object.GroupVersionKind()
	mapping, err := d.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		d.mapper.Reset()
		mapping, err = d.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return d.client.Resource(mapping.Resource), nil
	}
	if object.GetNamespace() == "" {
		object.SetNamespace("default")
	}
	return d.client.Resource(mapping.Resource).Namespace(object.GetNamespace()), nil
}

// prune deletes the addon's objects that are in none of the manifests any more.
func (d *deployer) prune(ctx context.Context, addon string, gvks map[string]bool, keep []*unstructured.Unstructured) error {
	kept := map[string]bool{}
	for _, object := range keep {
		kept[object.GetKind()+"/"+object.GetNamespace()+"/"+object.GetName()] = true
	}
	for text := range gvks {
		gvk := parseGVK(text)
		mapping, err := d.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			continue // a type that is gone took its objects along
		}
		list, err := d.client.Resource(mapping.Resource).List(ctx, metav1.ListOptions{LabelSelector: hashLabel + "=" + addonHash(addon)})
		if err != nil {
			return err
		}
		for _, object := range list.Items {
			if kept[object.GetKind()+"/"+object.GetNamespace()+"/"+object.GetName()] {
				continue
			}
			if err := d.delete(ctx, &object); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *deployer) delete(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := d.resourceFor(object)
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	err = resource.Delete(ctx, object.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// removeDisabled deletes what disabled components left from earlier starts.
func (d *deployer) removeDisabled(ctx context.Context) error {
	return fs.WalkDir(packaged, "manifests", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !d.server.cfg.disabled(componentOf(path)) {
			return err
		}
		addon, err := d.client.Resource(addonResource).Namespace("kube-system").Get(ctx, addonName(path), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := d.prune(ctx, addon.GetName(), gvksOf(addon), nil); err != nil {
			return err
		}
		return d.delete(ctx, addon)
	})
}
