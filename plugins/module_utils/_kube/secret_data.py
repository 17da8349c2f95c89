# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A Secret as the API server keeps it.

The server writes stringData into data and forgets it, the notes of who owns which field included: a change of such a
value by somebody else would go unnoticed. So what is sent has data alone.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from .fields import mapping, text


def as_stored(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object, with the stringData of a Secret written into its data; the server refuses what is no text itself."""
    given = mapping(content, "stringData")
    is_secret = text(content, "kind") == "Secret" and text(content, "apiVersion") == "v1"
    if not is_secret or not given or not all(isinstance(value, str) for value in given.values()):
        return content
    encoded = {key: b64encode(value.encode()).decode() for key, value in given.items()}
    kept = {key: value for key, value in content.items() if key != "stringData"}
    return {**kept, "data": {**mapping(content, "data"), **encoded}}
