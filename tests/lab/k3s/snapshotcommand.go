// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
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
	"sigs.k8s.io/yaml"
)

// snapshotOptions is what was said to `k3s etcd-snapshot`.
type snapshotOptions struct {
	dataDir, server, token, output string
	request                        snapshotRequest
}

func runEtcdSnapshot(args []string) error {
	if len(args) == 0 {
		return errors.New("no command given; one of save, delete, ls, prune is expected")
	}
	operations := map[string]string{"save": "save", "delete": "delete", "ls": "list", "list": "list", "l": "list", "prune": "prune"}
	operation, known := operations[args[0]]
	if !known {
		return fmt.Errorf("etcd-snapshot has no command %q", args[0])
	}
	options, err := readSnapshotOptions(operation, args[1:])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), snapshotDeadline)
	defer cancel()
	answer, err := options.ask(ctx)
	if err != nil {
		return err
	}
	if operation == "list" {
		return showSnapshots(os.Stdout, answer, options.output)
	}
	return tellSnapshots(answer, options.request)
}

// readSnapshotOptions merges command line and configuration files, whose keys for the server are not known here.
func readSnapshotOptions(operation string, args []string) (snapshotOptions, error) {
	options := snapshotOptions{request: snapshotRequest{Operation: operation}}
	flags := pflag.NewFlagSet("k3s etcd-snapshot", pflag.ContinueOnError)
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.TrimPrefix(name, "etcd-snapshot-"))
	})
	flags.StringP("config", "c", "", "configuration file")
	flags.StringVarP(&options.dataDir, "data-dir", "d", defaultDataDir, "state of k3s")
	flags.StringVarP(&options.server, "etcd-server", "s", "https://127.0.0.1:6443", "server that runs")
	flags.StringVarP(&options.token, "etcd-token", "t", "", "its token")
	flags.StringVarP(&options.output, "output", "o", "table", "table, json or yaml")
	flags.StringVar(&options.request.Dir, "dir", "", "where the snapshots are")
	flags.IntVar(&options.request.Retention, "retention", snapshotRetention, "how many are kept")
	name := flags.String("name", "", "beginning of the snapshot's name")
	compress := flags.Bool("compress", false, "whether snapshots are compressed, which this double does not do")
	s3 := flags.Bool("etcd-s3", false, "whether snapshots go to S3 too, which this double does not do")
	fromFiles, err := configFileArgs(configPath(args), func(key string) bool { return flags.Lookup(key) != nil && key != "etcd-snapshot-name" })
	if err != nil {
		return options, err
	}
	flags.SetOutput(io.Discard)
	if err := flags.Parse(append(fromFiles, args...)); err != nil {
		return options, err
	}
	if *compress || *s3 {
		return options, errors.New("this double of k3s neither compresses snapshots nor knows S3")
	}
	options.request.Name = flags.Args()
	if *name != "" {
		options.request.Name = []string{*name}
	}
	return options, options.check()
}

func (o snapshotOptions) check() error {
	if o.request.Operation == "delete" && len(o.request.Name) == 0 {
		return errors.New("no snapshots given for removal")
	}
	if !slices.Contains([]string{"table", "json", "yaml"}, o.output) {
		return fmt.Errorf("invalid output format: %s", o.output)
	}
	return nil
}

// ask sends the request to the server that runs, with the token on this disk.
func (o snapshotOptions) ask(ctx context.Context) ([]byte, error) {
	if o.token == "" {
		text, err := os.ReadFile(filepath.Join(o.dataDir, "server", "token"))
		if err != nil {
			return nil, err
		}
		o.token = strings.TrimSpace(string(text))
	}
	way, err := connect(ctx, o.server, o.token, "server")
	if err != nil {
		return nil, err
	}
	way.client.Timeout = snapshotDeadline
	body, err := json.Marshal(o.request)
	if err != nil {
		return nil, err
	}
	answer, err := way.do(ctx, "POST", "/db/snapshot", body, map[string]string{"Content-Type": "application/json"})
	var refused *httpError
	if errors.As(err, &refused) {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(refused.text))
	}
	return answer, err
}

func tellSnapshots(text []byte, request snapshotRequest) error {
	var answer snapshotAnswer
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	for _, name := range answer.Created {
		logInfo("Snapshot %s saved.", name)
	}
	for _, name := range answer.Deleted {
		logInfo("Snapshot %s deleted.", name)
	}
	if request.Operation != "delete" {
		return nil
	}
	for _, name := range request.Name {
		if !slices.Contains(answer.Deleted, name) {
			logWarn("Snapshot %s not found.", name)
		}
	}
	return nil
}

func showSnapshots(out io.Writer, text []byte, format string) error {
	var list snapshotList
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	switch format {
	case "json":
		_, err := out.Write(text)
		return err
	case "yaml":
		converted, err := yaml.JSONToYAML(text)
		if err == nil {
			_, err = out.Write(converted)
		}
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "Name\tLocation\tSize\tCreated")
	for _, item := range list.Items {
		created := item.Status.CreationTime.UTC().Format(time.RFC3339)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", item.Spec.SnapshotName, item.Spec.Location, item.Status.Size, created)
	}
	return table.Flush()
}
