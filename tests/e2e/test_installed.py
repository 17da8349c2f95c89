# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive that users install holds all that it needs, and works from a directory of the operator's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import playbook
from tests.lab.cluster import Cluster
from tests.lab.paths import REPOSITORY

pytestmark = pytest.mark.lab

GALAXY = str(Path(sys.prefix) / "bin" / "ansible-galaxy")


def galaxy(*arguments: str) -> None:
    subprocess.run(
        [GALAXY, "collection", *arguments], check=True, env=playbook.environment(), stdout=subprocess.DEVNULL
    )


def test_the_installed_collection_runs_site_from_an_operators_directory(cluster: Cluster, tmp_path: Path) -> None:
    galaxy("build", "--output-path", str(tmp_path), str(REPOSITORY))
    archive = next(tmp_path.glob("hearth-cluster-*.tar.gz"))
    collections = tmp_path / "collections"
    galaxy("install", "--offline", "--force", "--collections-path", str(collections), str(archive))
    operator = tmp_path / "operator"
    shutil.copytree(REPOSITORY / "inventory", operator / "inventory")

    run = playbook.run(
        "hearth.cluster.site",
        inventory=operator / "inventory" / "lab",
        directory=operator,
        ANSIBLE_COLLECTIONS_PATH=str(collections),
        # The environment's own site-packages show the checkout as the collection.
        ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="False",
    )

    assert run.status == 0, run.output[-6000:]
    assert run.changes == (), run.output
    assert run.task_files
    assert all(Path(path).is_relative_to(collections) for path in run.task_files), run.task_files


def test_the_archive_holds_nothing_that_is_the_operators_or_the_developers(tmp_path: Path) -> None:
    galaxy("build", "--output-path", str(tmp_path), str(REPOSITORY))
    archive = next(tmp_path.glob("hearth-cluster-*.tar.gz"))
    names = subprocess.run(["tar", "tzf", str(archive)], check=True, capture_output=True, text=True).stdout.split()
    tops = {name.removeprefix("./").split("/")[0] for name in names}
    assert {"plugins", "roles", "playbooks", "meta"} <= tops
    assert not tops & {"inventory", "build", ".venv", ".venv-newest", ".git", ".ci", "tests"}, tops
