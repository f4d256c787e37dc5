"""Slices are worked on in threads, a few ahead of whoever takes the results.

Reading files and the arithmetic of numpy hold no lock of the interpreter. As many slices as there are
threads are in memory at once, and two more.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_MOST_THREADS = 4  # more would wait for memory


def computed_ahead(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """`work(item)` for each item, in their order. What a call raises is raised in its place.

    The first call ends before the next ones begin, so that `work` may keep what it finds out once.
    """
    count = min(_MOST_THREADS, os.cpu_count() or 1)
    rest = iter(items)
    for first in rest:
        yield work(first)
        break
    with ThreadPoolExecutor(count) as threads:
        waiting: collections.deque[Future[_Result]] = collections.deque()
        for item in rest:
            waiting.append(threads.submit(work, item))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
