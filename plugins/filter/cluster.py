# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module_utils._cluster.gate import lacking, removed_by


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_lacks": lacking, "cluster_removed_apis": removed_by}
