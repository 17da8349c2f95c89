# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._errors import HearthError
from ..module_utils._host.problems import differing_sysctls, machine_problems
from ..module_utils._pi.settings import plan_settings, settings_problems


def raspberry_pi_plan(host: Mapping[str, Any], board: Mapping[str, Any], wishes: Mapping[str, Any]) -> dict[str, Any]:
    """All that is to be done on one machine because it is a Raspberry Pi."""
    try:
        return plan_settings(host, board, wishes)
    except HearthError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "differing_sysctls": differing_sysctls,
            "raspberry_pi_plan": raspberry_pi_plan,
            "raspberry_pi_problems": machine_problems,
            "raspberry_pi_wish_problems": settings_problems,
        }
