# SPDX-License-Identifier: GPL-3.0-or-later
"""One server with two agents lives as long as three servers do: every playbook of a cluster's life, on this layout."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import playbook, releases
from tests.lab.availability import Availability
from tests.lab.builds import K3S_VERSIONS
from tests.lab.cluster import Cluster, eventually, node_of_database, psql
from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.soak]

NEW, OLD = K3S_VERSIONS
LAYOUT = ("-e", "hearth_servers=pi1")
NAMES = ("pi1", "pi2", "pi3")


@pytest.fixture(scope="module")
def agents(lab: Lab, demo: str) -> Iterator[Cluster]:
    """pi1 is the server, with SQLite; the older version runs."""
    releases.release(OLD)
    lab.up(fresh=True)
    run = playbook.run("hearth.cluster.site", *LAYOUT, "-e", f"k3s_version={OLD}")
    assert run.status == 0, run.output[-6000:]
    cluster = Cluster(lab)
    psql(cluster, "create table agents (word text); insert into agents values ('stays')")
    yield cluster
    assert "stays" in psql(cluster, "select word from agents").split()
    lab.up(fresh=True)
    assert playbook.run("hearth.cluster.site").status == 0


def unnoticed(cluster: Cluster, name: str, *arguments: str, away: str = "") -> playbook.Run:
    """The blog is asked through every machine that is not `away`; the API has one server, which may restart."""
    with Availability([machine.address for machine in cluster.lab.machines() if machine.name != away]) as seen:
        run = playbook.run(f"hearth.cluster.{name}", *LAYOUT, *arguments)
    print(f"{name}: {run.seconds:.1f} s\n{seen.table()}")
    assert run.status == 0, run.output[-6000:]
    assert seen.failed_requests == 0, seen.table()
    assert eventually(lambda: all(each["Ready"] == "True" for each in cluster.conditions().values()))
    assert cluster.out_of_service() == []
    return run


def test_an_upgrade_ends_with_the_agents(agents: Cluster) -> None:
    version = ("-e", f"k3s_version={NEW}")
    run = unnoticed(agents, "upgrade_k3s", *version)
    assert f"k3s {NEW} is on pi1, pi2, pi3" in " ".join(run.output.split())
    assert agents.versions() == dict.fromkeys(NAMES, NEW)
    assert playbook.run("hearth.cluster.upgrade_k3s", *LAYOUT, *version).changes == ()


def test_another_token_reaches_the_agents(agents: Cluster) -> None:
    read = "sudo cat /etc/rancher/k3s/token"
    before = {machine.ssh(read).stdout for machine in agents.lab.machines()}
    unnoticed(agents, "rotate_token")
    after = {machine.ssh(read).stdout.strip().rsplit(":", 1)[-1] for machine in agents.lab.machines()}
    assert len(after) == 1
    assert not any(token in text for token in after for text in before)
    again = playbook.run("hearth.cluster.cluster", *LAYOUT)
    assert (again.status, again.changes) == (0, ()), again.output[-6000:]


def test_the_certificates_of_an_agent_are_renewed(agents: Cluster) -> None:
    digest = "sudo sha256sum /var/lib/rancher/k3s/agent/client-kubelet.crt"
    before = {machine.name: machine.ssh(digest).stdout for machine in agents.lab.machines()}
    unnoticed(agents, "certificates", "-e", "renew=true", "-e", "node=pi2")
    after = {machine.name: machine.ssh(digest).stdout for machine in agents.lab.machines()}
    assert {name for name in NAMES if before[name] != after[name]} == {"pi2"}


def test_an_agent_is_removed_and_added(agents: Cluster) -> None:
    holder = node_of_database(agents)
    leaver = next(name for name in NAMES[1:] if name != holder)
    run = playbook.run("hearth.cluster.remove_node", *LAYOUT, "-e", f"node={leaver}")
    assert run.status == 0, run.output[-6000:]
    assert leaver not in agents.conditions()
    agents.lab.wipe(leaver)
    added = unnoticed(agents, "add_node", "-e", f"node={leaver}", away=leaver)
    assert f"{leaver} is Ready: agent" in " ".join(added.output.split())


def test_the_only_server_stays(agents: Cluster) -> None:
    run = playbook.run("hearth.cluster.remove_node", *LAYOUT, "-e", "node=pi1", "-e", "delete_volumes=true")
    assert run.status != 0
    assert run.changes == ()
    assert "pi1" in run.output
