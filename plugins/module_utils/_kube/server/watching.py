# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Watches on several collections at once, merged into one stream."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from ..._errors import ClusterError
from ..change.live import Live
from ..resources import Collection
from .client import Connection

_SECONDS_PER_WATCH = 240.0
_SECONDS_AFTER_FAILURE = 1.0
_GONE = "1970-01-01T00:00:00Z"  # a deleted object's own timestamp may be missing; any value says that it is going


class Watching:
    """One thread per collection. One that blocks on its socket ends with the process, or when its watch times out."""

    def __init__(self, connection: Connection, collections: Sequence[Collection], selector: str) -> None:
        self._connection = connection
        self._selector = selector
        self._queue: SimpleQueue[Live] = SimpleQueue()
        self._ended = threading.Event()
        for collection in collections:
            threading.Thread(target=self._follow, args=(collection,), daemon=True).start()

    def __enter__(self) -> Watching:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def next(self, seconds: float) -> Live | None:
        try:
            return self._queue.get(timeout=max(seconds, 0.0))
        except Empty:
            return None

    def _follow(self, collection: Collection) -> None:
        while not self._ended.is_set():
            try:
                for event in self._events(collection):
                    if self._ended.is_set():
                        return
                    self._queue.put(event)
            except ClusterError:  # the server restarts, or the kind went away: whoever waits has a deadline of its own
                self._ended.wait(_SECONDS_AFTER_FAILURE)

    def _events(self, collection: Collection) -> Iterator[Live]:
        # Without a resourceVersion a watch begins with all objects as they are: no separate LIST is needed.
        query = {"watch": "true", "timeoutSeconds": f"{_SECONDS_PER_WATCH:.0f}"}
        if self._selector:
            query["labelSelector"] = self._selector
        for line in self._connection.lines(
            collection.path, query=query, doing=f"watch {collection.resource.plural}", seconds=_SECONDS_PER_WATCH
        ):
            event: Mapping[str, Any] = json.loads(line)
            if event["type"] == "ERROR":
                return
            if event["type"] in ("ADDED", "MODIFIED"):
                yield event["object"]
            elif event["type"] == "DELETED":
                yield _as_deleted(event["object"])


def _as_deleted(live: Live) -> Live:
    return {**live, "metadata": {"deletionTimestamp": _GONE, **live["metadata"]}}
