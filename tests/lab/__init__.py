# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: machines that boot, and a Kubernetes to put on them, on one Linux box.

``tests/lab/README.md`` tells what it is and what it is not; ``python -m tests.lab --help`` lists its commands.
"""
