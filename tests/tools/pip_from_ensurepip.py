# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs pip from the wheel inside Python's own ``ensurepip``.

``ansible-test`` fetches a bootstrap script for pip from the internet unless its cache already holds one under the
right name. Put there, this file lets the sanity tests run on a machine that reaches a Python package index and
nothing else.
"""

import ensurepip
import pathlib
import runpy
import sys

wheel = max((pathlib.Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
sys.path.insert(0, str(wheel))
wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--no-")]
sys.argv = ["pip", "install", "--force-reinstall", "--upgrade", *wanted]
runpy.run_module("pip", run_name="__main__")
