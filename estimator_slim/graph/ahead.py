"""Slices are worked on in threads, a few ahead of whoever takes the results.

Reading files and the arithmetic of numpy hold no lock of the interpreter. As many slices as there are
threads are in memory at once, and two more. Meanwhile a matrix product stays in its thread: where each
takes all cores, as is usual, they wait for each other.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import ThreadpoolController

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_MOST_THREADS = 4  # more would wait for memory


class _ProductsInTheirThreads:
    """A context in which BLAS, which numpy multiplies matrices with, starts no threads.

    Contexts may overlap; the first sets the process's limit, the last takes it back.
    """

    def __init__(self) -> None:
        self._lock, self._count, self._limit = threading.Lock(), 0, contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._limit.enter_context(_libraries().limit(limits=1, user_api="blas"))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self._limit.close()


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


_products_in_their_threads = _ProductsInTheirThreads()


def computed_ahead(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """`work(item)` for each item, in their order. What a call raises is raised in its place.

    The first call ends before the next ones begin, so that `work` may keep what it finds out once.
    """
    count = min(_MOST_THREADS, os.cpu_count() or 1)
    rest = iter(items)
    for first in rest:
        yield work(first)
        break
    with _products_in_their_threads, ThreadPoolExecutor(count) as threads:
        waiting: collections.deque[Future[_Result]] = collections.deque()
        for item in rest:
            waiting.append(threads.submit(work, item))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
