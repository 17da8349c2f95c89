// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// runCrictl is the handful of crictl's commands with which one looks at a node; upstream's program is in no registry.
func runCrictl(args []string) int {
	commands := map[string]func(context.Context, *grpc.ClientConn, []string) error{
		"ps": crictlPs, "pods": crictlPods, "images": crictlImages, "img": crictlImages, "version": crictlVersion,
		"stopp": crictlStopPods, "rmp": crictlRemovePods, "rmi": crictlRemoveImages,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprintln(os.Stderr, "crictl of this double of k3s knows: ps [-a] [-q], pods [-q], images [-q], version, stopp ID…, rmp ID…, rmi IMAGE…")
		return 1
	}
	conn, err := grpc.NewClient("unix://"+containerdSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = commands[args[0]](ctx, conn, args[1:])
	}
	if err != nil {
		logLine("fatal", "%v", err)
		return 1
	}
	return 0
}

func hasFlag(args []string, names ...string) bool {
	for _, arg := range args {
		if isOneOf(arg, names) {
			return true
		}
	}
	return false
}

// printRows prints a table, or its first column alone.
func printRows(quiet bool, header string, rows [][]string) {
	if quiet {
		for _, row := range rows {
			fmt.Println(row[0])
		}
		return
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 4, ' ', 0)
	fmt.Fprintln(table, header)
	for _, row := range rows {
		row[0] = short(row[0])
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	table.Flush()
}

func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(13, len(id))]
}

func age(nanoseconds int64) string {
	return time.Since(time.Unix(0, nanoseconds)).Round(time.Second).String() + " ago"
}

func crictlPs(ctx context.Context, conn *grpc.ClientConn, args []string) error {
	answer, err := cri.NewRuntimeServiceClient(conn).ListContainers(ctx, &cri.ListContainersRequest{})
	if err != nil {
		return err
	}
	var rows [][]string
	for _, c := range answer.Containers {
		if c.State != cri.ContainerState_CONTAINER_RUNNING && !hasFlag(args, "-a", "--all") {
			continue
		}
		state := strings.TrimPrefix(c.State.String(), "CONTAINER_")
		rows = append(rows, []string{c.Id, c.Image.Image, age(c.CreatedAt), state[:1] + strings.ToLower(state[1:]), c.Metadata.Name,
			fmt.Sprint(c.Metadata.Attempt), short(c.PodSandboxId), c.Labels["io.kubernetes.pod.name"], c.Labels["io.kubernetes.pod.namespace"]})
	}
	printRows(hasFlag(args, "-q", "--quiet"), "CONTAINER\tIMAGE\tCREATED\tSTATE\tNAME\tATTEMPT\tPOD ID\tPOD\tNAMESPACE", rows)
	return nil
}

func crictlPods(ctx context.Context, conn *grpc.ClientConn, args []string) error {
	answer, err := cri.NewRuntimeServiceClient(conn).ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return err
	}
	var rows [][]string
	for _, p := range answer.Items {
		state := "Ready"
		if p.State != cri.PodSandboxState_SANDBOX_READY {
			state = "NotReady"
		}
		rows = append(rows, []string{p.Id, age(p.CreatedAt), state, p.Metadata.Name, p.Metadata.Namespace, fmt.Sprint(p.Metadata.Attempt)})
	}
	printRows(hasFlag(args, "-q", "--quiet"), "POD ID\tCREATED\tSTATE\tNAME\tNAMESPACE\tATTEMPT", rows)
	return nil
}

func crictlImages(ctx context.Context, conn *grpc.ClientConn, args []string) error {
	answer, err := cri.NewImageServiceClient(conn).ListImages(ctx, &cri.ListImagesRequest{})
	if err != nil {
		return err
	}
	var rows [][]string
	for _, image := range answer.Images {
		for _, name := range image.RepoTags {
			rows = append(rows, []string{image.Id, name, fmt.Sprintf("%.1fMB", float64(image.Size)/1e6), fmt.Sprint(image.Pinned)})
		}
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i][1] < rows[j][1] })
	printRows(hasFlag(args, "-q", "--quiet"), "IMAGE ID\tIMAGE\tSIZE\tPINNED", rows)
	return nil
}

func crictlVersion(ctx context.Context, conn *grpc.ClientConn, _ []string) error {
	answer, err := cri.NewRuntimeServiceClient(conn).Version(ctx, &cri.VersionRequest{})
	if err != nil {
		return err
	}
	fmt.Printf("Version:  0.1.0\nRuntimeName:  %s\nRuntimeVersion:  %s\nRuntimeApiVersion:  %s\n", answer.RuntimeName, answer.RuntimeVersion, answer.RuntimeApiVersion)
	return nil
}

func crictlStopPods(ctx context.Context, conn *grpc.ClientConn, ids []string) error {
	for _, id := range ids {
		if _, err := cri.NewRuntimeServiceClient(conn).StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: id}); err != nil {
			return err
		}
		fmt.Printf("Stopped sandbox %s\n", id)
	}
	return nil
}

func crictlRemovePods(ctx context.Context, conn *grpc.ClientConn, ids []string) error {
	for _, id := range ids {
		if _, err := cri.NewRuntimeServiceClient(conn).RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id}); err != nil {
			return err
		}
		fmt.Printf("Removed sandbox %s\n", id)
	}
	return nil
}

func crictlRemoveImages(ctx context.Context, conn *grpc.ClientConn, names []string) error {
	for _, name := range names {
		if _, err := cri.NewImageServiceClient(conn).RemoveImage(ctx, &cri.RemoveImageRequest{Image: &cri.ImageSpec{Image: name}}); err != nil {
			return err
		}
		fmt.Printf("Deleted: %s\n", name)
	}
	return nil
}
