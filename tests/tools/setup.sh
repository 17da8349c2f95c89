#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Usage: setup.sh PYTHON VENV
# Makes VENV exactly what tests/requirements.txt says, with the checkout visible inside it as the collection hearth.cluster.
set -eu

python=$1
venv=$2
root=$(CDPATH='' cd "$(dirname "$0")/../.." && pwd)
lock=$root/tests/requirements.txt
stamp=$venv/.locked

if [ -x "$venv/bin/python" ] && cmp -s "$lock" "$stamp"; then
    exit 0
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: Python 3.11 or newer is needed, $python is $("$python" --version 2>&1). Name another one: make PYTHON=python3.13" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "setup: $python cannot make virtual environments. Install that part: apt-get install python3-venv" >&2
    exit 1
fi

echo "setup: $venv with $("$python" --version 2>&1)"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
"$venv/bin/uv" pip sync --quiet --python "$venv/bin/python" "$lock"
# `pip sync` removes what the lock does not name, uv itself included.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv

# Ansible looks for collections in site-packages too, so that no configuration is needed inside the environment.
packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$packages/ansible_collections/hearth"
ln -sfn "$root" "$packages/ansible_collections/hearth/cluster"
cp "$lock" "$stamp"
