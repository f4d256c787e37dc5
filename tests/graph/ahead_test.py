"""Slices worked on in threads: in order, a few at once, and errors come where they belong."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

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


def blas_threads() -> set[int]:
    """How many threads a product of matrices may take in this process just now."""
    assert np.ones((2, 2)).dot(np.ones((2, 2))).any()
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_products_stay_in_their_threads_and_the_process_has_its_limit_back_behind_it() -> None:
    with threadpool_limits(2, user_api="blas"):
        first, second = (computed_ahead(lambda _: blas_threads(), range(9)) for _ in range(2))
        for results in (first, second):
            next(results)
            assert next(results) == {1}
        assert list(first) == [{1}] * 7
        assert blas_threads() == {1}  # for the second is at work
        second.close()
        assert blas_threads() == {2}
