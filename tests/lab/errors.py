# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of the lab that a person can mend; its message says what is wrong, where, and what to do."""

from __future__ import annotations


class LabError(Exception):
    """Something outside the code is not as the lab needs it; anything else is a defect of the lab."""
