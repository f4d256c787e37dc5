"""Slices worked on in threads: in order, a few at once, and errors come where they belong."""

from __future__ import annotations

import threading
import time

import pytest

from estimator_slim.graph import computed_ahead


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.01 / (item + 1))
        return item
    assert list(computed_ahead(slow_at_first, range(20))) == list(range(20))
    assert list(computed_ahead(slow_at_first, [])) == []


def test_what_a_call_finds_out_once_and_keeps_is_found_out_once() -> None:
    kept: list[int] = []
    def keep(item: int) -> int:
        if not kept:
            time.sleep(0.02)
            kept.append(item)
        return len(kept)
    assert list(computed_ahead(keep, range(8))) == [1] * 8


def test_an_error_is_raised_in_the_place_of_its_result() -> None:
    def fail(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item
    results = computed_ahead(fail, range(9))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_only_a_few_items_are_in_memory_at_once() -> None:
    taken = threading.Semaphore(0)
    def items() -> object:
        for item in range(100):
            taken.release()
            yield item
    results = computed_ahead(lambda item: item, items())
    assert [next(results) for _ in range(10)] == list(range(10))
    assert sum(taken.acquire(blocking=False) for _ in range(100)) <= 20
