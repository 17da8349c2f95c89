# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Disruption budgets: which are over a pod, and whether they will ever let it go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import InputError
from .._kube.change.live import Live
from .._kube.fields import conditions, field, integer, mapping, text
from .._kube.selector import selector_of


def budgets_over(pod: Live, budgets: Sequence[Live]) -> list[Live]:
    namespace, labels = text(pod, "metadata", "namespace"), mapping(pod, "metadata", "labels")
    return [each for each in budgets if text(each, "metadata", "namespace") == namespace and _selects(each, labels)]


def why_never(pod: Live, over: Sequence[Live]) -> str:
    """Why the API server will never evict a pod, however long one waits; nothing where it may, now or later."""
    if len(over) > 1:
        names = " and ".join(map(_name, over))
        return f"the disruption budgets {names} are over it, and the API server evicts no pod that has more than one"
    return next((said for budget in over if (said := _of_one(pod, budget))), "")


def _of_one(pod: Live, budget: Live) -> str:
    if integer(budget, "status", "observedGeneration") < integer(budget, "metadata", "generation"):
        return ""  # its controller has not said anything yet
    allowed = conditions(budget).get("DisruptionAllowed", {})
    if text(allowed, "reason") == "SyncFailed":
        return f"the disruption budget {_name(budget)} allows nothing, its pods cannot be counted: {_message(allowed)}"
    expected, desired = (integer(budget, "status", name) for name in ("expectedPods", "desiredHealthy"))
    if desired < expected or _may_go_unhealthy(pod, budget):
        return ""
    return (
        f"the disruption budget {_name(budget)} ({_rule(budget)}) forbids it for ever:"
        f" it wants {desired} healthy of {expected}"
    )


def _may_go_unhealthy(pod: Live, budget: Live) -> bool:
    """A pod that serves nobody is let go where that is allowed, or where enough others serve."""
    if text(conditions(pod), "Ready", "status") == "True":
        return False
    if text(budget, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired = integer(budget, "status", "desiredHealthy")
    return 0 < desired <= integer(budget, "status", "currentHealthy")


def _selects(budget: Live, labels: Mapping[str, str]) -> bool:
    selector = field(budget, "spec", "selector")
    if selector is None:
        return False  # no selector is no pod; an empty one is every pod of the namespace
    try:
        return selector_of(mapping(selector)).fits(labels)
    except InputError:
        return False


def _rule(budget: Live) -> str:
    for name in ("minAvailable", "maxUnavailable"):
        value = field(budget, "spec", name)
        if value is not None:
            return f"{name}: {value}"
    return "minAvailable: 1"


def _message(condition: Mapping[str, Any]) -> str:
    return text(condition, "message") or "no reason given"


def _name(budget: Live) -> str:
    return f"{text(budget, 'metadata', 'namespace')}/{text(budget, 'metadata', 'name')}"
