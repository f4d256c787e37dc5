"""Two processes that export to one place do not hurt each other."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from estimator_slim import optimize_saved_model
from estimator_slim.record_files import forget, keep, read_record
from estimator_slim.saved_model.publish import published
from tests.faults import exporting, forked, moments
from tests.faults.exporting import ORIGINALS, SLIMS, Prepared, numbered, unfinished
from tests.faults.killing import answers, compare
from tests.support import training

ROUNDS = 4
REMOVING = "before DeleteFile by record_files.py"
REPLACING = "before RenameFile by record_files.py"
RENAMING = "before RenameFile by saved_model/publish.py:_move"


def test_of_two_that_optimize_one_version_at_once_one_wins_and_one_is_told(scene: Callable) -> None:
    folder = scene()
    original = numbered(folder / ORIGINALS)[-1]
    first, second = forked.run([forked.Job(optimize_at_once, {"folder": folder, "role": role})
                                for role in (os.O_RDONLY, os.O_WRONLY)])
    for number, logged in enumerate(zip(first.value, second.value)):
        slim = folder / "slim" / str(number)
        [refused, done] = sorted(logged)
        assert refused.startswith(f"ERROR: estimator_slim: no slim servable of {original}; ")
        assert (f"as it was: {slim} exists already: another process has written it meanwhile. "
                "It is never overwritten; let only one process write it") in refused
        assert " kB → " in done
        compare(answers(slim), answers(original))
    assert training.versions(folder / "slim") == [str(number) for number in range(ROUNDS)]


def test_two_exporters_of_one_name_each_get_their_versions_and_collect_theirs(scene: Callable) -> None:
    folder = scene()
    original = numbered(folder / ORIGINALS)[-1]
    kept = shutil.copytree(original, folder / "original")
    shutil.rmtree(folder / "export")
    done = forked.run([
        forked.Job(export_in_turn, {"folder": folder, "original": kept, "versions": versions})
        for versions in (["10", "30", "50", "70"], ["20", "40", "60", "80"])])
    assert not [line for outcome in done for line in outcome.value if not line.startswith("INFO")]
    assert training.versions(folder / ORIGINALS) == ["50", "60", "70", "80"]
    assert training.versions(folder / SLIMS) == ["50", "60", "70", "80"]


def test_of_two_that_remove_one_record_at_once_neither_fails(scene: Callable) -> None:
    folder = scene()
    shutil.rmtree(folder / "export")
    forked.run([forked.Job(exporting.export, {"folder": folder})])
    records = folder / f"{SLIMS}-report"
    assert {path.suffix for path in records.iterdir()} == {".html", ".json"}
    os.mkfifo(folder / "meeting")
    forked.run([forked.Job(forget_at_once, {"folder": folder, "role": role})
                for role in (os.O_RDONLY, os.O_WRONLY)])
    assert not list(records.iterdir())


def test_of_two_that_write_one_record_at_once_each_writes_all_of_it(scene: Callable) -> None:
    folder = scene()
    shutil.rmtree(folder / "export")
    [done] = forked.run([forked.Job(exporting.export, {"folder": folder})])
    os.mkfifo(folder / "meeting")
    both = forked.run([
        forked.Job(keep_at_once, {"folder": folder, "version": done.value.version, "role": role})
        for role in (os.O_RDONLY, os.O_WRONLY)])
    assert [one.value for one in both] == [[], []]
    kept = read_record(str(folder / SLIMS / done.value.version), folder / "elsewhere")
    assert kept == read_record(str(folder / SLIMS / done.value.version), None)
    assert {path.suffix for path in (folder / "elsewhere/latest-slim-report").iterdir()} == {
        ".html", ".json"}


def test_a_living_process_keeps_its_unfinished_version_when_others_export(scene: Callable) -> None:
    folder = scene()
    with published(str(folder / SLIMS / "7")) as living:
        [other] = forked.run([forked.Job(exporting.export, {"folder": folder})])
        assert unfinished(folder / SLIMS) == [os.path.basename(living)]
    assert (folder / SLIMS / other.value.version / "saved_model.pb").exists()
    assert (folder / SLIMS / "7").exists()


def meet(place: Path, role: int) -> None:
    """Returns when the other process is at that pipe too."""
    os.close(os.open(place, role))


def optimize_at_once(folder: Path, role: int) -> list[str]:
    """Optimizes to the same places as another process does, and renames when it does; what is logged."""
    original, last = numbered(folder / ORIGINALS)[-1], []
    for number in range(ROUNDS):
        meeting = folder / f"meeting-{number}"
        with contextlib.suppress(FileExistsError):
            os.mkfifo(meeting)
        with exporting.logged() as lines, moments.counted(RENAMING, partial(meet, meeting, role)):
            optimize_saved_model(original, folder / "slim" / str(number), training.LOSSLESS,
                                 verify="off", weights="variables", on_error="keep_original")
        last.append(lines[-1])
    return last


def forget_at_once(folder: Path, role: int) -> None:
    """Removes the records of all versions just when another process begins with the same."""
    with moments.counted(REMOVING, partial(meet, folder / "meeting", role)):
        forget(str(folder / SLIMS), set(), None, of=str(folder / ORIGINALS))


def keep_at_once(folder: Path, version: str, role: int) -> list[str]:
    """Writes a version's record once more, just when another process does; all that was logged."""
    report = read_record(str(folder / SLIMS / version), None)
    assert report
    with exporting.logged() as lines, moments.counted(
            REPLACING, partial(meet, folder / "meeting", role)):
        keep(report, folder / "elsewhere")
    return lines


def export_in_turn(folder: Path, original: Path, versions: list[str]) -> list[str]:
    """Exports these versions, of which two are kept; all that was logged."""
    prepared: Any = Prepared(original, versions, keep=2)
    return [line for _ in versions for line in exporting.export(folder, prepared).logged]
