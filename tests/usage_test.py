"""What is told of the time and memory of a piece of work is what it took, and nothing before it."""

from __future__ import annotations

import contextlib
import mmap
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from estimator_slim.usage import forget_most_memory, measured, most_memory, note_child, resident_memory

MB = 1_000_000
OF_A_CHILD = """
import subprocess, sys
from estimator_slim.usage import measured
with measured() as before:
    subprocess.run([sys.executable, "-c", "pass"], check=True)
with measured() as during:
    subprocess.run([sys.executable, "-c", "b'x' * 200_000_000"], check=True)
with measured() as after:
    subprocess.run([sys.executable, "-c", "pass"], check=True)
print(before.child_peak_memory, during.child_peak_memory, after.child_peak_memory)
"""


def test_memory_that_a_block_takes_and_gives_back_is_its_own() -> None:
    with measured() as first, taken():
        now = resident_memory()
        wait_until(lambda: first.peak_memory > now - MB)
    with measured() as second:
        pass
    assert first.peak_memory - second.peak_memory > 150 * MB


def test_a_block_within_a_block_counts_for_both() -> None:
    with contextlib.ExitStack() as kept, measured() as outer:
        with measured() as before:
            pass
        with measured() as inner:
            kept.enter_context(taken())
        note_child(7)
    assert inner.peak_memory - before.peak_memory > 150 * MB
    assert outer.peak_memory >= inner.peak_memory
    assert (outer.child_peak_memory, inner.child_peak_memory) == (7, 0)


def test_processes_that_worked_for_a_block_are_told_with_the_largest(cold: None) -> None:
    done = subprocess.run([sys.executable, "-c", OF_A_CHILD], text=True, check=True, capture_output=True,
                          cwd=Path(__file__).parents[1])
    before, during, after = map(int, done.stdout.split())
    assert 0 < before < 100 * MB
    assert 200 * MB < during < 400 * MB
    assert after == 0


def test_a_block_that_fails_is_measured_too_and_nothing_of_it_goes_on() -> None:
    threads = threading.active_count()
    with pytest.raises(ValueError), measured() as usage:
        time.sleep(0.01)
        raise ValueError
    assert 0.01 <= usage.seconds < 60
    assert usage.peak_memory > 0
    assert threading.active_count() == threads


def test_other_threads_count_the_processes_that_work_for_them_alone() -> None:
    with measured() as usage:
        other = threading.Thread(target=note_child, args=(7,))
        other.start()
        other.join()
    assert usage.child_peak_memory == 0


def test_the_most_memory_can_be_forgotten_on_linux() -> None:
    with taken():
        pass
    forget_most_memory()
    assert most_memory() - resident_memory() < 100 * MB


@contextlib.contextmanager
def taken() -> Iterator[None]:
    """200 MB of memory, new from the system: what an array takes may have been this process' already."""
    with mmap.mmap(-1, 200 * MB) as memory:
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1
        yield


def wait_until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 600
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)
