# SPDX-License-Identifier: GPL-3.0-or-later
"""What machines trust each other by, the token and the certificates, is replaced while everything runs on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.drill import drill, killed, kubeconfig_of
from tests.e2e.test_secrets import found_on
from tests.lab import playbook
from tests.lab.cluster import Cluster, eventually

pytestmark = pytest.mark.lab

TOKEN = "/var/lib/rancher/k3s/server/token"
NAMES = ("pi1", "pi2", "pi3")


def tokens(cluster: Cluster) -> dict[str, set[str]]:
    """The passwords in the two tokens of each machine: the one that it knows, and the one that it starts with."""
    read = f"sudo cat {TOKEN} /etc/rancher/k3s/token"
    return {
        machine.name: {line.rsplit(":", 1)[-1] for line in machine.ssh(read).stdout.split()}
        for machine in cluster.lab.machines()
    }


def the_token(cluster: Cluster) -> str:
    """The one that all machines have."""
    (token,) = set.union(*tokens(cluster).values())
    return token


def former_tokens(cluster: Cluster) -> Path:
    return kubeconfig_of(cluster.lab).with_suffix(".former-tokens")


def test_another_token_for_a_cluster_that_runs_on(cluster: Cluster) -> None:
    old, processes = the_token(cluster), cluster.processes()
    told = playbook.run("hearth.cluster.rotate_token", "--check", "--diff")
    assert told.status == 0, told.output[-6000:]
    assert "pi1 is told the new token" in told.output
    assert the_token(cluster) == old
    assert cluster.processes() == processes

    done = drill(cluster, "rotate_token", "--diff", "-vvv", rolling=True, killed_within=(2.0, 45.0))
    assert done.run.status == 0, done.run.output[-6000:]
    assert done.seen.failed_requests == 0, done.seen.table()
    assert done.seen.api_gap == 0, done.seen.table()
    new = the_token(cluster)
    assert new != old
    assert cluster.is_whole(*NAMES)
    assert all(cluster.processes()[name] != processes[name] for name in NAMES)

    kept = former_tokens(cluster)
    assert old in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert str(kept) in done.run.output
    for secret in (old, new):
        assert secret not in told.output + done.run.output
        assert {machine.name: found_on(machine, secret) for machine in cluster.lab.machines()} == dict.fromkeys(
            NAMES, ""
        )
    assert playbook.run("hearth.cluster.cluster").changes == ()


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_a_rotation_killed_at_any_moment_is_finished_by_the_next_run(cluster: Cluster, turn: int) -> None:
    """One machine restarts at that moment as well."""
    unlucky, old = cluster.lab.machines()[turn % 3], the_token(cluster)
    killed("rotate_token", within=(2.0, 45.0), turn=turn)
    unlucky.ssh("sudo systemctl restart --no-block k3s")
    begun = any(
        machine.ssh("sudo test -e /etc/rancher/k3s/token.next", check=False).returncode == 0
        for machine in cluster.lab.machines()
    )
    if begun:
        refused = playbook.run("hearth.cluster.cluster")
        assert refused.status != 0
        assert "hearth.cluster.rotate_token" in refused.output
    assert begun or eventually(lambda: cluster.is_whole(*NAMES))
    run = playbook.run("hearth.cluster.rotate_token")
    assert run.status == 0, run.output[-6000:]
    assert the_token(cluster) != old
    assert cluster.is_whole(*NAMES)


def test_the_token_of_the_inventory_is_the_one_to_change_to(cluster: Cluster) -> None:
    wanted = {"k3s_token": the_token(cluster)}
    same = playbook.run("hearth.cluster.rotate_token", "-e", json.dumps(wanted))
    assert (same.status, same.changes) == (0, ()), same.output[-6000:]
    assert "has this token already" in same.output


def test_what_k3s_would_not_take_is_refused(cluster: Cluster) -> None:
    old = the_token(cluster)
    run = playbook.run("hearth.cluster.rotate_token", "-e", json.dumps({"new_token": "abcdef.0123456789abcdef"}))
    assert run.status != 0
    assert "The new token" in run.output
    assert the_token(cluster) == old


def test_a_rotation_leaves_no_machine_behind(cluster: Cluster) -> None:
    old = the_token(cluster)
    run = playbook.run("hearth.cluster.rotate_token", "--limit", "pi1,pi2")
    assert run.status != 0
    assert "pi3 did not answer, or was left out with --limit" in run.output
    assert the_token(cluster) == old


def certificate(cluster: Cluster, name: str) -> str:
    digest = "sudo sha256sum /var/lib/rancher/k3s/server/tls/client-admin.crt"
    return cluster.lab.machine(name).ssh(digest).stdout


def test_certificates_are_told_of(cluster: Cluster) -> None:
    run = playbook.run("hearth.cluster.certificates")
    assert (run.status, run.changes) == (0, ()), run.output[-6000:]
    for name in NAMES:
        for file in ("client-admin.crt", "serving-kube-apiserver.crt", "peer-server-client.crt", "client-kubelet.crt"):
            assert re.search(rf"{name}: +36[0-5] days, until \d{{4}}-\d\d-\d\d +{file}", run.output), run.output
        assert re.search(rf"{name}: +36[0-9][0-9] days, .*k3s-client-ca@\d+ \(authority\)", run.output), run.output


def test_the_certificates_of_one_node_are_renewed(cluster: Cluster) -> None:
    before = {name: certificate(cluster, name) for name in NAMES}
    processes = cluster.processes()
    told = playbook.run("hearth.cluster.certificates", "-e", "renew=true", "-e", "node=pi1", "--check")
    assert told.status == 0, told.output[-6000:]
    assert "k3s is stopped on pi1" in told.output
    assert cluster.processes() == processes

    renewal = ("-e", "renew=true", "-e", "node=pi1")
    done = drill(cluster, "certificates", *renewal, rolling=True, killed_within=(3.0, 15.0))
    assert done.run.status == 0, done.run.output[-6000:]
    assert done.seen.failed_requests == 0, done.seen.table()
    assert done.seen.api_gap == 0, done.seen.table()
    after = {name: certificate(cluster, name) for name in NAMES}
    assert {name for name in NAMES if before[name] != after[name]} == {"pi1"}
    assert {name for name in NAMES if processes[name] != cluster.processes()[name]} == {"pi1"}
    assert cluster.is_whole(*NAMES)
    assert playbook.run("hearth.cluster.cluster").changes == (), "the kubeconfig is that of a server of now"


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_a_renewal_may_be_killed_at_any_moment(cluster: Cluster, turn: int) -> None:
    """Of all three nodes: whichever the killed run has stopped comes first."""
    before = {name: certificate(cluster, name) for name in NAMES}
    killed("certificates", "-e", "renew=true", within=(3.0, 70.0), turn=turn)
    run = playbook.run("hearth.cluster.certificates", "-e", "renew=true")
    assert run.status == 0, run.output[-6000:]
    assert all(certificate(cluster, name) != before[name] for name in NAMES)
    assert cluster.is_whole(*NAMES)
    assert playbook.run("hearth.cluster.cluster").changes == ()


def test_a_node_that_there_is_not_is_refused(cluster: Cluster) -> None:
    run = playbook.run("hearth.cluster.certificates", "-e", "renew=true", "-e", "node=pi9")
    assert run.status != 0
    assert "pi9 is no machine of the cluster" in run.output
