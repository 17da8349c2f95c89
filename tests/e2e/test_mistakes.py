# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person gets wrong: each mistake earns one message that names file, host or object and the remedy, and breaks
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import playbook
from tests.lab.cluster import Cluster
from tests.lab.playbook import Run

pytestmark = pytest.mark.lab

AHEAD = "/opt/ahead"  # of the time


@pytest.fixture
def untouched(cluster: Cluster) -> Iterator[Cluster]:
    """Whatever the mistake was: the same processes run afterwards, and the same objects are installed."""
    processes = cluster.processes()
    objects = cluster.kubectl("get", "deployments,statefulsets,services,configmaps", "-A", "-o", "name")
    yield cluster
    assert cluster.processes() == processes
    assert cluster.kubectl("get", "deployments,statefulsets,services,configmaps", "-A", "-o", "name") == objects


def refused(run: Run, *words: str) -> None:
    """The run failed, and one sentence of its output holds all of these words."""
    assert run.status != 0, run.output[-4000:]
    flat = " ".join(run.output.split())
    assert all(word in flat for word in words), f"not all of {words} in:\n{run.output[-4000:]}"
    assert "Traceback" not in run.output


def site(*arguments: str, more: Path | None = None, **variables: Any) -> Run:
    """``hearth.cluster.site`` with extra variables, and with a second inventory beside the lab's where one is given."""
    extra = ["-e", json.dumps(variables)] if variables else []
    beside = ["-i", str(more)] if more else []
    return playbook.run("hearth.cluster.site", *beside, *extra, *arguments)


def inventory(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_version_of_k3s_that_does_not_exist(untouched: Cluster) -> None:
    refused(site(k3s_version="v1.36.99+k3s1"), "v1.36.99+k3s1", "k3s_version", "not among the releases")


def test_a_version_of_k3s_that_those_that_run_cannot_be_brought_to(untouched: Cluster) -> None:
    refused(site(k3s_version="v1.35.4+k3s1"), "pi1, pi2 and pi3", "v1.36.3+k3s1", "does not go back")
    # There is no such release here, which playbook site tells first; and its images would be missed.
    wanted = json.dumps({"k3s_version": "v1.38.0+k3s1", "k3s_images": []})
    run = playbook.run("hearth.cluster.cluster", "-e", wanted)
    refused(run, "pi1, pi2 and pi3", "must not skip", "v1.37 first")


def test_a_misspelt_role_parameter(untouched: Cluster) -> None:
    refused(site(k3s_versoin="v1.36.3+k3s1"), "k3s_versoin", "k3s_version")


def test_a_token_that_is_not_the_clusters(untouched: Cluster) -> None:
    run = site(k3s_token="not-the-token-of-this-cluster")
    refused(run, "k3s_token", "pi1")
    assert "not-the-token-of-this-cluster" not in run.output


def test_a_host_that_does_not_answer_stops_nobody_else(untouched: Cluster, tmp_path: Path) -> None:
    absent = cluster_address(untouched, 99)
    text = f"k3s_agent:\n  hosts:\n    pi99:\n      ansible_host: {absent}\n      ansible_ssh_timeout: 3\n"
    run = site(more=inventory(tmp_path / "more.yml", text))
    refused(run, "pi99", absent)
    assert all(
        run.recap[name]["failures"] == 0 and run.recap[name]["unreachable"] == 0 for name in ("pi1", "pi2", "pi3")
    )


def test_two_names_for_one_machine(untouched: Cluster, tmp_path: Path) -> None:
    address = untouched.lab.machine("pi1").address
    text = f"k3s_agent:\n  hosts:\n    pi98:\n      ansible_host: {address}\n"
    refused(site(more=inventory(tmp_path / "more.yml", text)), "pi1", "pi98")


def test_a_wrong_sudo_password(untouched: Cluster) -> None:
    machine = untouched.lab.machine("pi2")
    machine.ssh("sudo useradd --create-home --groups sudo lodger && echo lodger:right | sudo chpasswd")
    machine.ssh("sudo cp -r /home/pi/.ssh /home/lodger/ && sudo chown -R lodger: /home/lodger/.ssh")
    try:
        run = site("--limit", "pi2", ansible_user="lodger", ansible_become_password="wrong-password-of-a-test")
        refused(run, "pi2", "sudo password", "ansible_become_password")
        assert "wrong-password-of-a-test" not in run.output
    finally:
        machine.ssh("sudo userdel --remove lodger", check=False)


def test_a_clock_that_is_wrong(untouched: Cluster, tmp_path: Path) -> None:
    """Machines of the lab have the clock of their host, so it is Python's idea of the time that is two hours ahead."""
    machine = untouched.lab.machine("pi2")
    machine.ssh(
        f"sudo mkdir -p {AHEAD}; echo 'import time; now = time.time; time.time = lambda: now() + 7200'"
        f" | sudo tee {AHEAD}/usercustomize.py > /dev/null;"
        f" printf '#!/bin/sh\nPYTHONPATH={AHEAD} exec /usr/bin/python3 \"$@\"\n' | sudo tee {AHEAD}/python > /dev/null;"
        f" sudo chmod 755 {AHEAD}/python"
    )
    text = f"k3s_server:\n  hosts:\n    pi2:\n      ansible_python_interpreter: {AHEAD}/python\n"
    try:
        run = site(more=inventory(tmp_path / "more.yml", text))
        refused(run, "the clock of pi2 is 72", "seconds ahead of that of", "timesync-status")
    finally:
        machine.ssh(f"sudo rm -r {AHEAD}")


def packages(*listed: dict[str, Any]) -> Run:
    return playbook.run("hearth.cluster.packages", "-e", json.dumps({"hearth_packages": list(listed)}))


def directory_package(path: Path, text: str) -> dict[str, Any]:
    path.mkdir()
    (path / "page.yaml").write_text(text)
    return {"name": "mistake", "namespace": "mistake", "source": {"directory": str(path)}}


def test_a_tab_in_a_file(untouched: Cluster, tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: broken\n"
    refused(packages(directory_package(tmp_path / "tab", text)), "page.yaml:4", "tab")


def test_an_object_without_a_kind(untouched: Cluster, tmp_path: Path) -> None:
    text = "apiVersion: v1\nmetadata:\n  name: broken\n"
    refused(packages(directory_package(tmp_path / "kind", text)), "page.yaml:1", "kind")


def test_an_image_that_does_not_exist(cluster: Cluster) -> None:
    pod = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "nothing"},
        "spec": {
            "selector": {"matchLabels": {"app": "nothing"}},
            "template": {
                "metadata": {"labels": {"app": "nothing"}},
                "spec": {"containers": [{"name": "main", "image": "hearth.local/does-not-exist:1"}]},
            },
        },
    }
    package = {"name": "mistake", "namespace": "mistake", "source": {"inline": [pod]}, "wait_timeout": 15}
    try:
        refused(packages(package), "Deployment", "nothing", "hearth.local/does-not-exist:1")
    finally:
        removed = packages({"name": "mistake", "state": "absent", "prune_also": ["Namespace"]})
        assert removed.status == 0, removed.output[-4000:]
        assert "mistake" not in cluster.kubectl("get", "namespaces")


def cluster_address(cluster: Cluster, number: int) -> str:
    """An address of the lab's network at which there is nobody."""
    return f"{cluster.lab.machine('pi1').address.rsplit('.', 1)[0]}.{number}"
