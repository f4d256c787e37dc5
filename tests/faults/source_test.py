"""An original that disappears in mid-work costs its slim twin at most, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults import exporting, forked, moments
from tests.faults.exporting import ORIGINALS, SLIMS, Export, Prepared, Then, numbered, unfinished
from tests.faults.killing import answers, compare, spread

MOMENTS = 5
WAYS_OUT = ("export it again", "export again", "keep an export until it is optimized",
            "check that the servable is there", "check that this user may read it",
            "give the folder of one exported version")


@pytest.mark.parametrize("lost", [
    "", "assets/vocabulary.txt", pytest.param("assets", marks=pytest.mark.long),
    pytest.param("variables", marks=pytest.mark.long)])
def test_what_disappears_was_read_already_or_is_missed_in_one_clear_error(
        scene: Callable, lost: str) -> None:
    [done] = forked.run([forked.Job(export_losing, {"folder": scene(), "lost": lost})])
    published, refused = done.value
    assert published
    assert refused
    for export in refused:
        [line] = [line for line in export.logged if line.startswith("ERROR")]
        assert f"{ORIGINALS}/{export.version}; the original is as it was and training goes on: " in line
        assert any(way_out in line for way_out in WAYS_OUT), line


def test_assets_that_disappear_before_they_are_listed_are_missed(scene: Callable) -> None:
    folder = scene()
    original = numbered(folder / ORIGINALS)[-1]
    export, _ = _losing(folder, original, "7", "assets",
                        "before IsDirectory by saved_model/files.py:copy_assets")
    assert not (folder / SLIMS / "7").exists()
    assert "assets/vocabulary.txt disappeared while it was copied; keep an export" in export.logged[0]


def export_losing(folder: Path, lost: str) -> tuple[list[Export], list[Export]]:
    """Exports again and again, and each time loses the path `lost` of the original at another moment.

    Returns:
      The exports that got a slim twin, which answers as the original did, and those that did not.
    """
    original = numbered(folder / ORIGINALS)[-1]
    expected = answers(original)
    shutil.rmtree(folder / SLIMS)
    outcomes: tuple[list[Export], list[Export]] = ([], [])
    chosen = spread(len(_losing(folder, original, "0", lost, None)[1]), MOMENTS, seed=1)
    for version, at in enumerate(chosen, 1):
        export, _ = _losing(folder, original, str(version), lost, at)
        slim = folder / SLIMS / str(version)
        assert not unfinished(folder / SLIMS)
        if slim.exists():
            compare(answers(slim), expected)
        outcomes[0 if slim.exists() else 1].append(export)
    return outcomes


def _losing(folder: Path, original: Path, version: str, lost: str,
            at: int | str | None) -> tuple[Export, list[str]]:
    """One export that loses a path at a moment of its optimization, and all those moments."""
    with ExitStack() as until_done:
        reached = []

        def then(directory: Path) -> None:
            path = directory / lost
            lose = path.unlink if path.is_file() else lambda: shutil.rmtree(path)
            reached.append(until_done.enter_context(moments.counted(at, lose, reading=True)))
        export = exporting.export(folder, Then(Prepared(original, [version]), then))
    return export, reached[0]
