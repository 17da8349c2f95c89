# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The health of a live object, computed from the object alone.

The rules are those of kstatus (sigs.k8s.io/cli-utils), with these corrections where kstatus is content too early:

- a Job is Current when it is complete or suspended, not when it has started;
- a Service of type LoadBalancer is Current when it has an address, not when it has a cluster IP;
- a claim that waits for its first consumer is Current, because no pod would ever start behind it otherwise;
- a StatefulSet whose pods somebody updates by hand (OnDelete) is Current when these are ready;
- a Pod that failed is Failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..fields import conditions, field, group_of, text
from .custom import CUSTOM_RULES
from .kinds import KIND_RULES
from .verdict import Health, Status, Surroundings, current, failed, in_progress
from .workloads import WORKLOAD_RULES

__all__ = ["Health", "Status", "Surroundings", "health", "not_seen_yet"]

_Rule = Callable[[Mapping[str, Any], Surroundings], Health]

_RULES: Mapping[tuple[str, str], _Rule] = {**WORKLOAD_RULES, **KIND_RULES, **CUSTOM_RULES}

# Kinds of these groups belong to Kubernetes itself: without a rule above there is nothing to wait for.
_BUILT_IN_GROUPS = frozenset({"", "apps", "autoscaling", "batch", "policy", "extensions"})


def health(live: Mapping[str, Any], around: Surroundings | None = None) -> Health:
    """Say how far a live object is."""
    rule = _RULES.get((group_of(live), text(live, "kind")), _by_ready_condition)
    return _common_to_all(live) or rule(live, around or Surroundings())


def not_seen_yet(live: Mapping[str, Any]) -> Health | None:
    """Judge what no status can be believed about: an object that goes, or one newer than what its controller saw."""
    if field(live, "metadata", "deletionTimestamp") is not None:
        return _terminating(live)
    wanted, observed = field(live, "metadata", "generation"), field(live, "status", "observedGeneration")
    if observed is not None and wanted is not None and observed != wanted:
        return in_progress(
            f"its controller has seen generation {observed}, the newest is {wanted}", "LatestGenerationNotObserved"
        )
    return None


def _common_to_all(live: Mapping[str, Any]) -> Health | None:
    """Judge what means the same in every kind, None where the kind itself decides."""
    unseen = not_seen_yet(live)
    if unseen is not None:
        return unseen
    found = conditions(live)
    if text(found, "Reconciling", "status") == "True":
        return in_progress(*_words(found["Reconciling"], "being reconciled", "Reconciling"))
    if text(found, "Stalled", "status") == "True":
        return failed(*_words(found["Stalled"], "stalled", "Stalled"))
    return None


def _terminating(live: Mapping[str, Any]) -> Health:
    finalizers = field(live, "metadata", "finalizers")
    held = f", held by {', '.join(map(str, finalizers))}" if isinstance(finalizers, list) and finalizers else ""
    return Health(Status.TERMINATING, f"being deleted{held}", "Deleted")


def _by_ready_condition(live: Mapping[str, Any], _around: Surroundings) -> Health:
    """Judge a kind without a rule of its own by its condition Ready, and be content where it has none."""
    ready = conditions(live).get("Ready")
    if ready is None:
        return _without_conditions(live)
    if text(ready, "status") == "True":
        return current(text(ready, "message") or "ready")
    return in_progress(*_words(ready, "not ready", "NotReady"))


def _without_conditions(live: Mapping[str, Any]) -> Health:
    # "NoStatus" lets the caller hold on for a moment: an object its controller has not seen yet looks the same.
    if group_of(live) not in _BUILT_IN_GROUPS and field(live, "status") is None:
        return current("exists, its controller has reported nothing yet", "NoStatus")
    return current("exists")


def _words(condition: Mapping[str, Any], message: str, reason: str) -> tuple[str, str]:
    """Return message and reason of a condition, with defaults where its controller gave none."""
    given = text(condition, "reason")
    return text(condition, "message") or given or message, given or reason
