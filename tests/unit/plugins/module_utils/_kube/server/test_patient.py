# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes by itself is outlasted, in reading as in writing; anything else is told at once."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.patient import PatientCluster
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import RefusedError, refusal

from tests.support.contract import config_map
from tests.support.fake_cluster import BUILT_IN, FakeCluster

MAPS = next(each for each in BUILT_IN if each.kind == "ConfigMap")
A = config_map("default", "a", k="1")


class Impatience:
    """A clock that counts."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def patient(fake: FakeCluster, time: Impatience) -> PatientCluster:
    return PatientCluster(fake, Clock(lambda: time.now, time.sleep))


def status(code: int, message: str, reason: str = "") -> RefusedError:
    body = f'{{"kind": "Status", "message": "{message}", "reason": "{reason}"}}'.encode()
    return refusal(code, body, doing="apply ConfigMap default/a", retry_after="3" if code == 429 else "")


PASSING = [
    status(429, "too many requests"),
    status(500, "etcdserver: leader changed", "InternalError"),
    status(500, "Internal error occurred: resource quota evaluation timed out", "InternalError"),
    status(503, "apiserver not ready"),
    status(504, "etcdserver: request timed out"),
]
LASTING = [
    status(400, "strict decoding error"),
    status(401, "Unauthorized"),
    status(403, 'configmaps is forbidden: User \\"u\\" cannot patch resource \\"configmaps\\"'),
    status(403, "exceeded quota: few"),
    status(409, "the object has been modified"),
    status(422, "data: Invalid value: field is immutable"),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_passes_is_asked_again(error: RefusedError) -> None:
    fake, time = FakeCluster(), Impatience()
    fake.broken = [("apply ConfigMap a", error)] * 3
    patient(fake, time).apply(MAPS, A)
    assert fake.writes == ["apply ConfigMap default/a"]
    assert time.now == (9 if error.status == 429 else 3.5)  # as long as the server asks for, else longer every time


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_what_does_not_pass_is_told_at_once(error: RefusedError) -> None:
    fake, time = FakeCluster(), Impatience()
    fake.broken = [("apply ConfigMap a", error)]
    with pytest.raises(RefusedError):
        patient(fake, time).apply(MAPS, A)
    assert (time.now, fake.writes) == (0, [])


def test_patience_ends() -> None:
    fake, time = FakeCluster(), Impatience()
    fake.broken = [("delete ConfigMap a", PASSING[1])] * 1000
    fake.apply(MAPS, A)
    with pytest.raises(RefusedError, match="the API server is not able to answer at present; run again"):
        patient(fake, time).delete(MAPS, "default", "a")
    assert 30 < time.now < 60


def test_a_plan_is_made_although_the_server_is_busy() -> None:
    fake, time = FakeCluster(), Impatience()
    fake.broken = [("apply ConfigMap a", PASSING[0])]
    assert patient(fake, time).apply(MAPS, A, dry_run=True)["data"] == {"k": "1"}
    assert fake.writes == []
