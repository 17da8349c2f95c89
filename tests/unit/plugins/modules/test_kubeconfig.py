# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a task runs it, on files of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.hearth.cluster.plugins.modules import kubeconfig

KEY = "dGhlIGhpZGRlbiBrZXk="
SOURCE = f"""apiVersion: v1
kind: Config
clusters:
- name: default
  cluster: {{server: "https://127.0.0.1:6443", certificate-authority-data: Q0E=}}
users:
- name: default
  user: {{client-certificate-data: Q0VSVA==, client-key-data: {KEY}}}
contexts:
- name: default
  context: {{cluster: default, user: default}}
current-context: default
"""
OTHERS = """# written by hand
apiVersion: v1
kind: Config
clusters: [{name: work, cluster: {server: https://work}}]
users: [{name: work, user: {token: other-hidden-token}}]
contexts: [{name: work, context: {cluster: work, user: work}}]
current-context: work
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(path: Path, *, check: bool = False, **options: Any) -> dict[str, Any]:
        usual = {"source": SOURCE, "name": "home", "server": "https://pi1:6443", "path": str(path)}
        arguments = {**usual, **options, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            kubeconfig.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def test_check_run_and_run_again(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "new" / "home.yaml"
    assert run(path, check=True)["changed"]
    assert not path.parent.exists()
    assert run(path)["changed"]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert yaml.safe_load(path.read_text())["clusters"][0] == {
        "name": "home",
        "cluster": {"server": "https://pi1:6443", "certificate-authority-data": "Q0E="},
    }
    written = path.stat()
    assert not run(path)["changed"]
    assert path.stat() == written


def test_a_merge_keeps_the_others_and_a_copy_of_the_former_file(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHERS)
    result = run(path, merge=True)
    document = yaml.safe_load(path.read_text())
    assert [user["name"] for user in document["users"]] == ["work", "home"]
    assert document["current-context"] == "work"
    backup = Path(result["backup"])
    assert (backup.read_text(), backup.stat().st_mode & 0o777) == (OTHERS, 0o600)
    again = run(path, merge=True)
    assert (again["changed"], again["backup"], again["path"]) == (False, "", str(path))


def test_a_file_that_already_says_the_same_is_not_rewritten(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "config"
    run(path)
    path.write_text("# a comment that stays\n" + path.read_text())
    assert not run(path)["changed"]
    assert path.read_text().startswith("# a comment that stays")


def test_a_readable_file_is_made_private(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "config"
    run(path)
    path.chmod(0o644)
    assert run(path)["changed"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_output_shows_a_credential(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHERS)
    output = json.dumps(run(path, merge=True))
    assert KEY not in output
    assert "other-hidden-token" not in output
    assert "home" in output


def test_a_file_that_others_share_is_not_replaced(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHERS)
    for check in (True, False):
        said = run(path, check=check)["msg"]
        assert "also has entries called work, which would be lost" in said
        assert "k3s_kubeconfig_merge" in said
    assert path.read_text() == OTHERS


def test_a_damaged_file_is_named_and_kept(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("clusters: [\n")
    assert str(path) in run(path, merge=True)["msg"]
    assert path.read_text() == "clusters: [\n"
