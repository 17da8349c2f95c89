#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints the newest interpreter that the newest ansible-core asks for (3.12 or newer), or nothing where there is none.
# A pyenv shim answers to every name, so each candidate has to prove its version by running.
for name in python3.14 python3.13 python3.12; do
    for candidate in $(command -v "$name") "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/"$name"; do
        if [ -x "$candidate" ] && "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            echo "$candidate"
            exit 0
        fi
    done
done
