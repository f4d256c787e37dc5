"""A disk that is full or read-only costs slim servables while it is so, and nothing else."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import exporting, forked, mounts
from tests.faults.exporting import ORIGINALS, SLIMS, Export, Prepared, Then, numbered
from tests.faults.killing import answers, compare
from tests.support import training

PAGE, SIZE = 4096, 1 << 18  # bytes; the slim servable takes some 50,000


def test_on_a_full_disk_nothing_is_published_until_it_fits_and_then_it_is(scene: Callable) -> None:
    failed, published = outcome(export_while_room_grows, scene())
    assert len(failed) > 5
    for attempt in failed:
        [line] = attempt.logged
        assert_refused(line, attempt.version, "No space left on device", "space left")
    assert " kB → " in published.logged[0]


def test_where_files_may_not_grow_nothing_is_published_until_they_may(scene: Callable) -> None:
    failed, published = outcome(export_while_limit_grows, scene())
    assert len(failed) == 2
    for attempt in failed:
        [line] = attempt.logged
        assert_refused(line, attempt.version, "File too large", "space left")
    assert " kB → " in published.logged[0]


def test_on_a_read_only_disk_nothing_is_published_or_removed(scene: Callable) -> None:
    folder = scene()
    before = training.contents(folder / SLIMS)
    attempt = outcome(export_read_only, folder)
    published, removing, removed = attempt.logged
    assert_refused(published, attempt.version, "cannot be written",
                   "give a destination in a folder that this user may write")
    assert removing.endswith("whose original is gone")
    for part in ("may hold versions whose original is gone", "cannot be removed", "remove it yourself"):
        assert part in removed
    assert training.contents(folder / SLIMS) == before


def assert_refused(line: str, version: str, cause: str, way_out: str) -> None:
    """That a logged error says what is missing, where, why and what to do."""
    assert line.startswith("ERROR: estimator_slim: no slim servable of ")
    assert "the original is as it was and training goes on: " in line
    for part in (f"{ORIGINALS}/{version};", SLIMS, cause, way_out):
        assert part in line


def outcome(function: Callable, folder: Path) -> Any:
    """What the function returns in a process of its own; skips where such mounts are not permitted."""
    [done] = forked.run([forked.Job(function, {"folder": folder})])
    if isinstance(done.value, PermissionError):
        pytest.skip(f"no mount for this user ({done.value}); the test with a limit stands in for it")
    return done.value


def export_while_room_grows(folder: Path) -> Any:
    """Exports to a disk of its own, on which one page more is free each time, until one is published."""
    shutil.rmtree(folder / SLIMS)
    (folder / SLIMS).mkdir()
    try:
        mounts.mount_small(folder / SLIMS, SIZE)
    except PermissionError as e:
        return e

    def fill(attempt: int) -> None:
        (folder / SLIMS / "others").write_bytes(b"x" * (SIZE - attempt * PAGE))
    return _until_published(folder, fill)


def export_while_limit_grows(folder: Path) -> Any:
    """Exports with a limit for the size of files that grows, until one is published."""
    shutil.rmtree(folder / SLIMS)

    def limit(attempt: int) -> None:
        size = (0, 4 * PAGE, SIZE)[attempt]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return _until_published(folder, limit)


def _until_published(folder: Path, prepare: Callable[[int], None]) -> tuple[list[Export], Export]:
    """The attempts that failed, each of which is seen to leave nothing, and the one that did not."""
    original, failed = numbered(folder / ORIGINALS)[-1], []
    for attempt in itertools.count():
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wrapped = Then(Prepared(original, [str(attempt)]), lambda _, attempt=attempt: prepare(attempt))
        export = exporting.export(folder, wrapped)
        assert training.contents(folder / ORIGINALS / str(attempt)) == training.contents(original)
        if numbered(folder / SLIMS):
            compare(answers(folder / SLIMS / str(attempt)), answers(original))
            return failed, export
        assert set(training.versions(folder / SLIMS)) <= {"others"}
        failed.append(export)
    raise AssertionError("unreachable")


def export_read_only(folder: Path) -> Any:
    """Exports where the slim folder may only be read."""
    if os.getuid() == 0:  # for whom permissions do not count
        mounts.mount_read_only(folder / SLIMS)
    else:
        (folder / SLIMS).chmod(0o555)
    return exporting.export(folder)
