# SPDX-License-Identifier: GPL-3.0-or-later
"""Run lookups that talk to a cluster, with the defaults of their documentation, as Ansible's own loader fills them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import yaml
from ansible_collections.hearth.cluster.plugins.doc_fragments._kube import ModuleDocFragment


def options_of(lookup: ModuleType) -> dict[str, Any]:
    own = yaml.safe_load(lookup.DOCUMENTATION)["options"]
    fragment = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    return {name: option.get("default") for name, option in {**fragment, **own}.items() if name != "_terms"}


def ask(lookup: ModuleType, *terms: Any, **options: Any) -> list[Any]:
    known = options_of(lookup)
    assert set(options) <= set(known)
    plugin = lookup.LookupModule()
    plugin._options = {**known, **options}
    plugin.set_options = lambda **_ignored: None
    answer: list[Any] = plugin.run(list(terms))
    return answer
