#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the Debian packages that developing, testing and the lab need: as root silently and only what is missing; otherwise it says what is.
set -eu

packages="busybox-static ca-certificates curl debian-archive-keyring dosfstools gcc git iproute2 libc6-dev mmdebstrap mtools nftables
    openssh-client openssl python3-venv qemu-user-static shellcheck systemd-container zstd"
command -v go >/dev/null 2>&1 || packages="$packages golang-go"

missing=""
for package in $packages; do
    dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "setup: these packages are missing, and only root can install them: sudo apt-get install$missing" >&2
    exit 0
fi
echo "setup: apt-get install$missing"
apt-get -qq update
# shellcheck disable=SC2086  # a list of package names, meant to be split
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends --yes $missing >/dev/null
