# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Many requests at once, answers in the order of the questions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)
Question = TypeVar("Question")
Answer = TypeVar("Answer")

# More brings nothing on a Raspberry Pi and takes memory there; measured on kube-prometheus, 8 is near the best.
AT_ONCE = 8


def in_parallel(
    ask: Callable[[Question], Answer], questions: Iterable[Question], *, at_once: int = AT_ONCE
) -> list[Answer]:
    """Ask all questions, a few at a time. The first error ends it: what has not begun by then is not begun."""
    waiting = list(questions)
    if len(waiting) <= 1:
        return [ask(question) for question in waiting]
    with ThreadPoolExecutor(min(at_once, len(waiting))) as pool:
        futures = [pool.submit(ask, question) for question in waiting]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def along(
    dependencies: Mapping[Node, Collection[Node]], do: Callable[[Node, list[Answer]], Answer], *, at_once: int
) -> list[Answer]:
    """Do every node as soon as all that it depends on is done, whose answers it is given; answers as nodes are given.

    What only appears as a dependency is not waited for. There must be no circle.
    """
    waiting = {node: [need for need in needs if need in dependencies] for node, needs in dependencies.items()}
    done: dict[Node, Answer] = {}
    running: dict[Future[Answer], Node] = {}
    with ThreadPoolExecutor(at_once) as pool:
        while waiting or running:
            for node in [node for node, needs in waiting.items() if all(need in done for need in needs)]:
                answers = [done[need] for need in waiting.pop(node)]
                running[pool.submit(do, node, answers)] = node
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                done[running.pop(future)] = future.result()
    return [done[node] for node in dependencies]
