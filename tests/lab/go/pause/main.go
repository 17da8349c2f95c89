// SPDX-License-Identifier: GPL-3.0-or-later

// Command pause holds the namespaces of a pod: it buries the dead of a shared process namespace, and ends when told.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for buried := 1; buried > 0; {
			buried, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
}
