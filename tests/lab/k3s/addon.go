// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

const (
	gvksKey     = "addon.k3s.cattle.io/gvks"
	hashLabel   = "objectset.rio.cattle.io/hash"
	ownerPrefix = "objectset.rio.cattle.io/owner-"
)

var addonResource = schema.GroupVersionResource{Group: "k3s.cattle.io", Version: "v1", Resource: "addons"}

// addonType is the kind that records which text of a manifest file was applied.
const addonType = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: addons.k3s.cattle.io
spec:
  group: k3s.cattle.io
  names: {kind: Addon, plural: addons, singular: addon}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns:
    - {name: Source, type: string, jsonPath: .spec.source}
    - {name: Checksum, type: string, jsonPath: .spec.checksum}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              source: {type: string}
              checksum: {type: string}
`

// addonName is a file's name up to its first dot.
func addonName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return name
}

// mark labels an object as part of an addon, which is how pruning finds it.
func markObject(object *unstructured.Unstructured, addon string) {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[hashLabel] = addonHash(addon)
	annotations[ownerPrefix+"gvk"] = "k3s.cattle.io/v1, Kind=Addon"
	annotations[ownerPrefix+"name"], annotations[ownerPrefix+"namespace"] = addon, "kube-system"
	object.SetLabels(labels)
	object.SetAnnotations(annotations)
}

func addonHash(name string) string {
	sum := sha1.Sum([]byte("k3s.cattle.io/v1, Kind=Addon/kube-system/" + name))
	return hex.EncodeToString(sum[:])
}

// newAddon is the record that a file's text was applied, and of which kinds its objects are.
func newAddon(name, path, checksum string, gvks map[string]bool) *unstructured.Unstructured {
	var texts []string
	for text := range gvks {
		texts = append(texts, text)
	}
	sort.Strings(texts)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "k3s.cattle.io/v1", "kind": "Addon",
		"metadata": map[string]any{"name": name, "namespace": "kube-system", "annotations": map[string]any{gvksKey: strings.Join(texts, ";")}},
		"spec":     map[string]any{"source": path, "checksum": checksum},
	}}
}

func gvkText(gvk schema.GroupVersionKind) string {
	return gvk.GroupVersion().String() + ", Kind=" + gvk.Kind
}

func parseGVK(text string) schema.GroupVersionKind {
	groupVersion, kind, _ := strings.Cut(text, ", Kind=")
	return schema.FromAPIVersionAndKind(groupVersion, kind)
}

func gvksOf(addon *unstructured.Unstructured) map[string]bool {
	found := map[string]bool{}
	for _, text := range strings.Split(addon.GetAnnotations()[gvksKey], ";") {
		if text != "" {
			found[text] = true
		}
	}
	return found
}

// parseManifests reads every document of a file; lists are taken apart.
func parseManifests(text []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) == 0 {
			continue
		}
		if !object.IsList() {
			objects = append(objects, object)
			continue
		}
		err = object.EachListItem(func(item runtime.Object) error {
			objects = append(objects, item.(*unstructured.Unstructured))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
}
