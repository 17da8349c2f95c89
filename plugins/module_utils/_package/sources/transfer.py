# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. One transfer over HTTP: in pieces, taken up where it broke off, never endless."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError

from ..._errors import FetchError
from ..._kube.patience import Clock

_ATTEMPTS = 3
_CHUNK = 1 << 16
_LARGEST = 64 << 20
_LONGEST_PAUSE = 60.0
_SECONDS_WITHOUT_A_BYTE = 60
_SECONDS_BETWEEN_REPORTS = 3.0


@dataclass(frozen=True)
class Answer:
    """What a server sent; the names of headers are in small letters."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class UnauthorizedError(FetchError):
    """The server wants to know who asks; `challenge` says how to tell it."""

    def __init__(self, message: str, challenge: str) -> None:
        super().__init__(message)
        self.challenge = challenge


class _PassingError(Exception):
    """A failure that may be over when it is tried again, after a pause that the server may have asked for."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


@dataclass
class Transfer:
    """Gets one file. What has arrived is kept between attempts, as long as the server says it is the same file."""

    place: str
    clock: Clock
    report: Callable[[str], None]
    headers: Mapping[str, str]
    arrived: bytearray = field(default_factory=bytearray)
    validator: str = ""

    def run(self) -> Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._attempt()
            except _PassingError as error:
                if attempt == _ATTEMPTS:
                    raise FetchError(
                        f"{self.place} cannot be downloaded, tried {_ATTEMPTS} times: {error}", reason="unreachable"
                    ) from error
                self.clock.sleep(min(max(2.0**attempt, error.pause), _LONGEST_PAUSE))
        raise AssertionError("the loop returns or raises")

    def _attempt(self) -> Answer:
        from ansible.module_utils.urls import open_url  # noqa: PLC0415  # slow to import, and most runs download nothing

        try:
            answer: Any = open_url(
                self.place,
                timeout=_SECONDS_WITHOUT_A_BYTE,
                http_agent="hearth.cluster",
                follow_redirects="all",
                headers={**self.headers, **self._continuation()},
                unredirected_headers=["Authorization"],  # a registry's storage has another owner
            )
            with answer:
                self._receive(answer)
                return Answer(bytes(self.arrived), {name.lower(): value for name, value in answer.headers.items()})
        except HTTPError as error:
            raise self._refusal(error) from None
        except (URLError, OSError, http.client.HTTPException) as error:
            raise _PassingError(str(getattr(error, "reason", error)) or type(error).__name__) from error

    def _continuation(self) -> dict[str, str]:
        if not self.arrived or not self.validator:
            self.arrived.clear()
            return {}
        return {"Range": f"bytes={len(self.arrived)}-", "If-Range": self.validator}

    def _receive(self, answer: Any) -> None:
        if not _continues(answer, len(self.arrived)):
            self.arrived.clear()
        self.validator = _validator(answer)
        announced = answer.headers.get("Content-Length")
        whole = int(announced) + len(self.arrived) if announced and announced.isdigit() else 0
        if whole > _LARGEST:
            raise self._too_large()
        next_report = self.clock.deadline(_SECONDS_BETWEEN_REPORTS)
        while chunk := answer.read(_CHUNK):
            self.arrived += chunk
            if len(self.arrived) > _LARGEST:
                raise self._too_large()
            if self.clock.now() >= next_report:
                self.report(f"downloading {self.place}: {_megabytes(len(self.arrived), whole)}")
                next_report = self.clock.deadline(_SECONDS_BETWEEN_REPORTS)
        if whole and not answer.headers.get("Content-Encoding") and len(self.arrived) != whole:
            raise _PassingError(f"the connection ended after {len(self.arrived)} of {whole} bytes")

    def _too_large(self) -> FetchError:
        return FetchError(f"{self.place} is larger than {_LARGEST >> 20} MiB, which no set of manifests is")

    def _refusal(self, error: HTTPError) -> Exception:
        if error.code in (404, 410):
            return FetchError(
                f"{self.place} does not exist ({error.code}); correct the version or the name of the file",
                reason="not_found",
            )
        if error.code == 416:
            self.arrived.clear()
            return _PassingError("the server has less than what arrived before")
        if error.code in (401, 403):
            told = f"{self.place} may not be read without permission ({error.code})"
            return UnauthorizedError(told, error.headers.get("WWW-Authenticate", ""))
        if error.code >= 500 or error.code == 429:
            pause = error.headers.get("Retry-After", "")
            return _PassingError(f"the server answers {error.code}", float(pause) if pause.isdigit() else 0.0)
        return FetchError(f"{self.place} cannot be downloaded: the server answers {error.code}")


def _continues(answer: Any, arrived: int) -> bool:
    begins = str(answer.headers.get("Content-Range", "")).removeprefix("bytes ").partition("-")[0]
    return answer.status == 206 and begins == str(arrived)


def _validator(answer: Any) -> str:
    """By what the server recognises the same file; a weak one does not promise the same bytes."""
    if answer.headers.get("Content-Encoding"):
        return ""  # ranges speak of the bytes on the way, which are not those that arrive here
    tag = str(answer.headers.get("ETag", ""))
    return tag if tag and not tag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _megabytes(arrived: int, whole: int) -> str:
    return f"{arrived / (1 << 20):.1f}" + (f" of {whole / (1 << 20):.1f} MiB" if whole else " MiB")
