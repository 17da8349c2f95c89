# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook`` as an operator runs it from a directory of his own."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = str(Path(sys.prefix) / "bin/ansible-playbook")

# The variables of a host that is this computer.
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def ansible_playbook(directory: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The exit status, and all that was said."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=directory,
        env={**os.environ, "PWD": str(directory), "ANSIBLE_NOCOLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def tell(expression: str) -> dict[str, Any]:
    """A task that says the value of an expression of Jinja, for ``told``."""
    return {"ansible.builtin.debug": {"msg": f"told: {{{{ ({expression}) | to_json | b64encode }}}}"}}


def told(said: str) -> Any:
    (value,) = re.findall(r"told: ([\w+/=]+)", said)
    return json.loads(base64.b64decode(value))
