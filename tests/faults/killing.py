"""Kills exporting processes at many moments; says what each left, and what a restart made of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults import exporting, forked
from tests.faults.exporting import ORIGINALS, SLIMS, numbered, unfinished
from tests.support import training
from tests.support.alike import assert_alike
from tests.support.ask import ask

ATOL = 1e-5  # of answers, the transforms being lossless


@dataclass(frozen=True)
class Death:
    """A process killed in mid-export, and the restart after it.

    Attributes:
      moment: when, as `moments.counted` says it.
      status: how it ended, minus the signal.
      left: names of unfinished slim versions after the death.
      swept: the same after the restart.
      originals_changed: names of files of originals that are not as they were when they appeared.
      slims: how many slim versions were there, after the death and after the restart together.
      wrong: those of them that cannot be loaded, or answer something else than the original.
      newest: the newest version of all, and whether it is slimmed, after the restart.
    """

    moment: str
    status: int
    left: list[str]
    swept: list[str]
    originals_changed: list[str]
    slims: int
    wrong: list[str]
    newest: tuple[str, bool]
    restarted: exporting.Export

    @property
    def survived(self) -> bool:
        """Whether nothing was lost but the export, and the restart put all in order."""
        return (not self.swept and not self.originals_changed and not self.wrong
                and self.newest == (self.restarted.version, True))


def deaths(scene: Path, work: Path, count: int, *, seed: int, places: Sequence[str] = ("",),
           **options: Any) -> list[Death]:
    """Kills `count` exports for each place, each in its copy of `scene`, at moments spread over it.

    Args:
      scene: where to export, see `exporting`; it is not changed.
      work: an empty folder for the copies.
      count: how many processes to kill at each place.
      seed: of the choice of moments.
      places: what moments have in their text; by default all moments are of one place.
      options: of the OptimizingExporter that is killed; restarts do without.
    """
    rehearsal = shutil.copytree(scene, work / "rehearsal")
    [rehearsed] = forked.run([forked.Job(exporting.export_counting, {"folder": rehearsal, **options})])
    moments = rehearsed.value
    possible = [[number for number, moment in enumerate(moments) if place in moment] for place in places]
    chosen = {numbers[i] for numbers in possible for i in spread(len(numbers), count, seed)}
    return _deaths(scene, work, exporting.export_counting,
                   {moments[at] + f", {at}": {"at": at, **options} for at in sorted(chosen)})


def deaths_by_time(scene: Path, work: Path, count: int, *, seed: int, **options: Any) -> list[Death]:
    """As `deaths`, at any time of an export, so in the midst of calls too; some may be done before."""
    rehearsal = shutil.copytree(scene, work / "rehearsal")
    [rehearsed] = forked.run([forked.Job(exporting.export_timed, {"folder": rehearsal, **options})])
    milliseconds = spread(int(1000 * rehearsed.value), count, seed)
    return _deaths(scene, work, exporting.export_timed,
                   {f"after {at} ms": {"limit": at / 1000, **options} for at in milliseconds if at})


def _deaths(scene: Path, work: Path, function: Callable, kills: dict[str, dict]) -> list[Death]:
    """Lets `function` be killed in a copy of the scene for each moment → its arguments."""
    folders = [Path(shutil.copytree(scene, work / str(number))) for number in range(len(kills))]
    dead = forked.run([forked.Job(function, {"folder": folder, **arguments})
                       for folder, arguments in zip(folders, kills.values())])
    for folder in folders:
        shutil.copytree(folder / "export", folder / "left/export")
    restarted = forked.shared(exporting.export, folders)
    wrong = forked.shared(_wrong, folders, right=answers(numbered(scene / ORIGINALS)[0]))
    return [Death(moment, dead[i].status,
                  unfinished(folder / "left" / SLIMS), unfinished(folder / SLIMS),
                  _changed(scene, folder / "left") + _changed(folder / "left", folder),
                  len(_slims(folder)), wrong[i], _newest(folder), restarted[i])
            for i, (folder, moment) in enumerate(zip(folders, kills))]


def spread(stop: int, count: int, seed: int) -> list[int]:
    """`count` numbers below `stop`, one at random of each of as many equal ranges."""
    edges = np.linspace(0, stop, count + 1).astype(int)
    chooser = random.Random(seed)
    return [chooser.randrange(first, max(last, first + 1)) for first, last in zip(edges, edges[1:])]


def answers(servable: Path) -> dict:
    """What a servable answers to the requests of `training`, see `ask`."""
    return ask(str(servable), [training.requests()], optimizer=False)


def compare(got: dict, expected: dict) -> None:
    """Raises AssertionError where answers differ by more than ATOL, or are others at all."""
    assert_alike(got, expected, atol=ATOL)


def _slims(folder: Path) -> list[Path]:
    return [*numbered(folder / "left" / SLIMS), *numbered(folder / SLIMS)]


def _wrong(folder: Path, right: dict) -> list[str]:
    """The slim versions of a scene that do not answer as they should, each with the reason.

    Of those that are the same byte for byte one is asked.
    """
    reasons: list[str] = []
    asked: list[dict] = []
    for slim in _slims(folder):
        if (files := training.contents(slim)) in asked:
            continue
        asked.append(files)
        try:
            compare(answers(slim), right)
        except Exception as e:
            reasons.append(f"{slim}: {type(e).__name__}: {e}")
    return reasons


def _changed(before: Path, after: Path) -> list[str]:
    """Files of originals that are in both scenes' versions, and not the same."""
    old, new = (training.contents(scene / ORIGINALS) for scene in (before, after))
    kept = {version.name for version in numbered(after / ORIGINALS)}
    return [file for file in old if file.split("/")[0] in kept and new.get(file) != old[file]]


def _newest(folder: Path) -> tuple[str, bool]:
    version = numbered(folder / ORIGINALS)[-1].name
    return version, (folder / SLIMS / version).exists()
