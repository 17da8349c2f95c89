// SPDX-License-Identifier: GPL-3.0-or-later

package main

// The images of the packaged components, named as k3s names them.
const (
	pauseImage         = "rancher/mirrored-pause:3.6"
	coreDNSImage       = "rancher/mirrored-coredns-coredns:1.12.4"
	localPathImage     = "rancher/local-path-provisioner:v0.0.30"
	metricsServerImage = "rancher/mirrored-metrics-server:v0.9.0"
	busyboxImage       = "rancher/mirrored-library-busybox:1.36.1"
)
