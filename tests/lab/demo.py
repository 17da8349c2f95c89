# SPDX-License-Identifier: GPL-3.0-or-later
"""``make demo``: from nothing to three machines, a cluster on them, a blog and a database, and a look at the result.

Where machines cannot be booted it says so, and shows the package half on the bare API server with simulated nodes.
"""

from __future__ import annotations

import sys

from tests.lab import builds, images, playbook, releases, requirements
from tests.lab.apiserver import ApiServer
from tests.lab.cluster import Cluster, eventually, http_status
from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.progress import Progress

IMAGES = ("nginx", "postgresql")
PACKAGES = (
    "get",
    "secrets",
    "--all-namespaces",
    "--selector=hearth.cluster/record",
    "--output=custom-columns=PACKAGE:.metadata.labels.hearth\\.cluster/record,SINCE:.metadata.creationTimestamp",
)


def on_machines(progress: Progress) -> None:
    """The real thing: ``hearth.cluster.site`` on the lab's three machines."""
    lab = Lab(progress=progress)
    supply(progress)
    lab.up()
    succeed(playbook.run("hearth.cluster.site", show=True), "hearth.cluster.site")

    cluster = Cluster(lab)
    addresses = [machine.address for machine in lab.machines()]
    answers = {address: eventually(lambda: http_status(address) == 200) for address in addresses}  # noqa: B023
    what = f"k3s {builds.NEWEST_K3S}" if releases.takes_real_one() else builds.described(builds.NEWEST_K3S)
    print(f"\nThe k3s of these machines is {what}.\n")
    print(cluster.kubectl("get", "nodes", "-o", "wide"))
    print(cluster.kubectl(*PACKAGES))
    for address, answered in answers.items():
        print(f"http://{address}/ {'answers with 200' if answered else 'does not answer'}")
    if not all(answers.values()):
        raise LabError("the blog does not answer on every machine; look at it with: sudo k3s kubectl get pods -n blog")


def supply(progress: Progress) -> None:
    """Build what the machines will be made of, unless the cache has it."""
    if not releases.takes_real_one():
        releases.release(builds.NEWEST_K3S, progress)
    for name in IMAGES:
        images.archive(name, progress)


def on_simulated_nodes(progress: Progress) -> None:
    """Without machines: real API server, simulated nodes; what is installed is real, what runs is not."""
    with ApiServer() as server:
        arguments = ("hearth.cluster.packages", "-e", f"k3s_kubeconfig={server.kubeconfig}")
        succeed(playbook.run(*arguments, show=True), "hearth.cluster.packages")
        print(f"\n{server.kubectl('get', 'nodes')}\n{server.kubectl(*PACKAGES)}")
        print(server.kubectl("get", "deployments,statefulsets,services", "--all-namespaces"))


def succeed(run: playbook.Run, name: str) -> None:
    if run.status != 0:
        raise LabError(f"{name} ended with status {run.status}; the reason is above")


def main() -> int:
    progress = Progress()
    try:
        requirements.require(requirements.GO)
        lacking = requirements.missing(requirements.MACHINES)
        if not lacking:
            on_machines(progress)
            return 0
        print(
            f"{requirements.explain(lacking)}\n\nWithout machines, the package half on simulated nodes:\n", flush=True
        )
        on_simulated_nodes(progress)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
