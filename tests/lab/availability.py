# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what runs notices anything: asks the blog through several nodes and writes to the API server, many times a
second, while something else is done to the cluster.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import yaml

from tests.lab.cluster import http_status

REQUESTS_PER_SECOND = 20.0  # through each address
WRITES_PER_SECOND = 5.0
LIMIT = 5.0  # seconds until a request counts as failed
MARK = "availability"


@dataclass
class Answers:
    """What one way in has answered so far; times are seconds of ``time.monotonic``."""

    asked: int = 0
    failures: list[str] = field(default_factory=list)
    last_good: float = field(default_factory=time.monotonic)
    longest_gap: float = 0.0

    def note(self, problem: str, now: float) -> None:
        """``problem`` is empty for a good answer."""
        self.asked += 1
        if problem:
            self.failures.append(problem)
            return
        self.longest_gap = max(self.longest_gap, now - self.last_good)
        self.last_good = now

    def end(self, now: float) -> None:
        """A gap that is still open counts as well."""
        self.longest_gap = max(self.longest_gap, now - self.last_good)


class ApiWriter:
    """Writes one ConfigMap, on a new connection each time, so that no old one hides a dead server.

    ``kubeconfig`` names the certificates, ``addresses`` the servers: the one that answered last is asked, and the
    others where it does not.
    """

    def __init__(self, kubeconfig: Path, addresses: Sequence[str], port: int = 6443) -> None:
        self._addresses, self._port = tuple(addresses), port
        self._answered = self._addresses[0]
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            self._tls.load_cert_chain(pair.name)

    def write(self, number: int) -> str:
        """Empty, or what went wrong."""
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": MARK, "namespace": "default"},
            "data": {"number": str(number)},
        }
        path = f"/api/v1/namespaces/default/configmaps/{MARK}?fieldManager={MARK}&force=true"
        return self._ask("PATCH", path, json.dumps(body))[0]

    def is_cordoned(self, address: str) -> bool:
        """Whether the node that has this address is out of service."""
        problem, said = self._ask("GET", "/api/v1/nodes")
        nodes = [] if problem else json.loads(said)["items"]
        return any(
            node["spec"].get("unschedulable", False)
            for node in nodes
            if address in {one["address"] for one in node["status"]["addresses"]}
        )

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[str, bytes]:
        """What went wrong with the last server that was asked, and what was answered."""
        problem, said = "no server", b""
        for address in sorted(self._addresses, key=lambda one: one != self._answered):
            problem, said = self._ask_one(address, method, path, body)
            if not problem:
                self._answered = address
                break
        return problem, said

    def _ask_one(self, address: str, method: str, path: str, body: str | None) -> tuple[str, bytes]:
        connection = http.client.HTTPSConnection(address, self._port, timeout=LIMIT, context=self._tls)
        try:
            headers = {"Content-Type": "application/apply-patch+yaml", "Connection": "close"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}", b""
        finally:
            connection.close()
        return "" if answer.status in (200, 201) else f"{answer.status} {said[:200].decode(errors='replace')}", said


def never(_address: str) -> bool:
    return False


class Availability:
    """``with Availability(blog=[…], api=ApiWriter(…)) as seen: …``, then ``seen.failed_requests`` and the like.

    Args:
        blog: the addresses through which the blog is asked.
        api: what writes to the API server, if that is to be watched too.
        is_excused: whether one may do without an answer through an address just now; asked where there was none.
    """

    def __init__(
        self, blog: Sequence[str], api: ApiWriter | None = None, is_excused: Callable[[str], bool] = never
    ) -> None:
        self.blog = {address: Answers() for address in blog}
        self.api = Answers()
        self._writer = api
        self._is_excused = is_excused
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for address, answers in self.blog.items():
            self._start(partial(self._blog_problem, address), answers, REQUESTS_PER_SECOND)
        if self._writer is not None:
            self._start(self._writer.write, self.api, WRITES_PER_SECOND)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _start(self, ask: Callable[[int], str], answers: Answers, per_second: float) -> None:
        thread = threading.Thread(target=self._keep_asking, args=(ask, answers, per_second), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _keep_asking(self, ask: Callable[[int], str], answers: Answers, per_second: float) -> None:
        started = answers.last_good = time.monotonic()
        while not self._over.is_set():
            problem = ask(answers.asked)
            now = time.monotonic()
            answers.note(f"after {now - started:.1f} s: {problem}" if problem else "", now)
            self._over.wait(max(0.0, started + answers.asked / per_second - now))
        answers.end(time.monotonic())

    def _blog_problem(self, address: str, _number: int) -> str:
        status = http_status(address, limit=LIMIT)
        if status == 200 or self._is_excused(address):
            return ""
        return f"status {status}" if status else "no answer"

    @property
    def failed_requests(self) -> int:
        return sum(len(answers.failures) for answers in self.blog.values())

    @property
    def longest_gap(self) -> float:
        """Seconds between two good answers of the blog through one address."""
        return max((answers.longest_gap for answers in self.blog.values()), default=0.0)

    @property
    def api_gap(self) -> float:
        """Seconds between two writes that the API server took; 0 as long as every one was taken."""
        return self.api.longest_gap if self.api.failures else 0.0

    def table(self) -> str:
        """One line per way in, with the first failures."""
        ways: list[tuple[str, Answers]] = [*self.blog.items()]
        if self._writer is not None:
            ways.append(("API", self.api))
        return "\n".join(
            f"{way:<16} {answers.asked:>6} asked {len(answers.failures):>4} failed"
            f" {answers.longest_gap:>6.2f} s longest gap  {'; '.join(answers.failures[:3])}"
            for way, answers in ways
        )
