// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

const defaultConfigFile = "/etc/rancher/k3s/config.yaml"

// setting is one key of the merged configuration files, in order of first appearance.
type setting struct {
	key    string
	values []string
}

// configFiles lists the configuration file, if it exists, and its drop-ins in alphabetical order.
func configFiles(path string) ([]string, error) {
	var files []string
	if _, err := os.Stat(path); err == nil {
		files = append(files, path)
	}
	entries, err := os.ReadDir(path + ".d")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		suffix := strings.ToLower(filepath.Ext(entry.Name()))
		if !entry.IsDir() && (suffix == ".yaml" || suffix == ".yml") {
			names = append(names, filepath.Join(path+".d", entry.Name()))
		}
	}
	sort.Strings(names)
	return append(files, names...), nil
}

// mergeConfig merges the files' texts: a later value replaces an earlier one, "key+" appends to it.
func mergeConfig(texts map[string][]byte, order []string) ([]setting, error) {
	var merged []setting
	for _, name := range order {
		var document yaml.Node
		if err := yaml.Unmarshal(texts[name], &document); err != nil {
			return nil, fmt.Errorf("failed to read config file %s: %w", name, err)
		}
		if len(document.Content) == 0 {
			continue
		}
		mapping := document.Content[0]
		if mapping.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("failed to read config file %s: a mapping is expected", name)
		}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			merged = mergeSetting(merged, mapping.Content[i].Value, settingValues(mapping.Content[i+1]))
		}
	}
	return merged, nil
}

func mergeSetting(merged []setting, key string, values []string) []setting {
	name := strings.TrimSuffix(key, "+")
	for i := range merged {
		if merged[i].key != name {
			continue
		}
		if name != key {
			values = append(merged[i].values, values...)
		}
		merged[i].values = values
		return merged
	}
	return append(merged, setting{name, values})
}

func settingValues(node *yaml.Node) []string {
	if node.Kind != yaml.SequenceNode {
		return []string{node.Value}
	}
	values := []string{}
	for _, item := range node.Content {
		values = append(values, item.Value)
	}
	return values
}

// settingArgs turns the settings into flags; those the command lacks are handed to unknown and left out.
func settingArgs(settings []setting, known func(string) bool, unknown func(string)) []string {
	var args []string
	for _, item := range settings {
		prefix := "--"
		if len(item.key) == 1 {
			prefix = "-"
		}
		if !known(item.key) {
			unknown(prefix + item.key)
			continue
		}
		for _, value := range item.values {
			args = append(args, prefix+item.key+"="+value)
		}
	}
	return args
}

// configFileArgs reads the configuration files into flags.
func configFileArgs(path string, known func(string) bool) ([]string, error) {
	files, err := configFiles(path)
	if err != nil {
		return nil, err
	}
	texts := map[string][]byte{}
	for _, file := range files {
		if texts[file], err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	settings, err := mergeConfig(texts, files)
	if err != nil {
		return nil, err
	}
	return settingArgs(settings, known, func(flag string) {
		logWarn("Unknown flag %s found in %s, skipping", flag, filepath.Base(path))
	}), nil
}
