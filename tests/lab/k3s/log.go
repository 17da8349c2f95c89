// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// logLine writes one line in the form k3s writes it, so that what reads a journal finds the same text.
func logLine(level, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	fmt.Fprintf(os.Stderr, "time=%q level=%s msg=%s\n", time.Now().UTC().Format(time.RFC3339), level, strconv.Quote(message))
}

func logInfo(format string, args ...any)  { logLine("info", format, args...) }
func logWarn(format string, args ...any)  { logLine("warning", format, args...) }
func logError(format string, args ...any) { logLine("error", format, args...) }

func logFatal(format string, args ...any) {
	logLine("fatal", format, args...)
	os.Exit(1)
}

// notifyReady tells systemd that the unit is up.
func notifyReady() {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		logWarn("cannot notify systemd: %v", err)
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("READY=1\n")); err != nil {
		logWarn("cannot notify systemd: %v", err)
	}
}
