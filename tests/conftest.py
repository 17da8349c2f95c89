# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that any test may ask for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.lab import requirements
from tests.lab.apiserver import ApiServer, build_programs
from tests.lab.errors import LabError
from tests.lab.requirements import Requirement

_numbers = itertools.count(1)


def unavailable(reason: str) -> NoReturn:
    """This machine cannot run the test: a skip for a person, a failure in CI, which exists to run everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must be able to run this test: {reason}", pytrace=False)
    pytest.skip(reason)


def need(wanted: Iterable[Requirement]) -> None:
    """Leave the test out, in the lab's own words, where this machine lacks something."""
    lacking = requirements.missing(wanted)
    if lacking:
        unavailable(requirements.explain(lacking))


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """A bare API server with three simulated nodes, shared by all tests of the run."""
    try:
        build_programs()
    except LabError as error:
        unavailable(f"no bare API server: {error}")
    with ApiServer() as server:
        yield server


@pytest.fixture
def kubeconfig(api_server: ApiServer) -> Path:
    return api_server.kubeconfig


@pytest.fixture
def namespace(api_server: ApiServer) -> Iterator[str]:
    """A namespace of the test's own, deleted with all that is in it (without waiting for that)."""
    name = f"test-{next(_numbers)}"
    api_server.kubectl("create", "namespace", name)
    yield name
    api_server.kubectl("delete", "namespace", name, "--wait=false")
