# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.yaml import Document, read_documents
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.cache import ParsedFiles

TEXT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {on: 'x', text: y}\n---\na: 1\n"


def documents(text: str) -> list[Document]:
    return list(read_documents(text, "a.yaml"))


def test_what_was_parsed_once_is_found_again_with_its_lines(tmp_path: Path) -> None:
    parsed = ParsedFiles(tmp_path)
    assert parsed.find(TEXT.encode()) is None
    parsed.keep(TEXT.encode(), documents(TEXT))
    assert parsed.find(TEXT.encode()) == documents(TEXT)
    assert parsed.find(TEXT.replace("x", "z").encode()) is None


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("ConfigMap", "Secret"),
        "kind: List\nitems:\n- kind: Secret\n  data: {text: y}\n",
    ],
    ids=["secret", "list"],
)
def test_secrets_are_not_kept(tmp_path: Path, text: str) -> None:
    parsed = ParsedFiles(tmp_path)
    parsed.keep(text.encode(), documents(text))
    assert parsed.find(text.encode()) is None
    assert not list(tmp_path.rglob("*.json"))


def test_only_the_owner_can_read_what_is_kept(tmp_path: Path) -> None:
    ParsedFiles(tmp_path).keep(TEXT.encode(), documents(TEXT))
    (kept,) = tmp_path.rglob("*.json")
    assert kept.stat().st_mode & 0o077 == 0


def test_a_damaged_or_unwritable_cache_is_as_good_as_none(tmp_path: Path) -> None:
    parsed = ParsedFiles(tmp_path)
    parsed.keep(TEXT.encode(), documents(TEXT))
    (kept,) = tmp_path.rglob("*.json")
    kept.write_text("{")
    assert parsed.find(TEXT.encode()) is None
    (tmp_path / "file").touch()
    ParsedFiles(tmp_path / "file").keep(TEXT.encode(), documents(TEXT))
