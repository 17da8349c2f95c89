// SPDX-License-Identifier: GPL-3.0-or-later

// Command kubernetes is every upstream component, by the name it is called under: the double of k3s without k3s.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	name := filepath.Base(os.Args[0])
	if !isComponent(name) {
		fmt.Fprintln(os.Stderr, "call this program under the name of a Kubernetes component")
		os.Exit(2)
	}
	os.Exit(runComponent(name, os.Args[1:]))
}
