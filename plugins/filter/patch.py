# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._errors import InputError
from ..module_utils._k3s.patching import Pending, Reboot, plan_patch, plan_restarts
from ..module_utils._k3s.patching import in_window as lies_in


def patch_plan(
    records: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    *,
    pending: Mapping[str, Mapping[str, Sequence[str]]],
    reboot: Reboot = "needed",
) -> dict[str, Any]:
    """What patching does to which machine, in which order, and what stands in its way."""
    waiting = {name: Pending(tuple(one["packages"]), tuple(one["reasons"])) for name, one in pending.items()}
    return plan_patch(records, names, waiting, reboot).as_dict()


def restart_plan(
    records: Sequence[Mapping[str, Any]], names: Sequence[str], *, reasons: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """In which order machines start again, which of them are evacuated, and what stands in the way."""
    return plan_restarts(records, names, reasons).as_dict()


def in_window(window: str, now: str) -> bool:
    """Whether a time of day lies in a window."""
    try:
        return lies_in(window, now)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"in_window": in_window, "patch_plan": patch_plan, "restart_plan": restart_plan}
