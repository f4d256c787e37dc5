"""Every transform by itself on every model of the test suite: does the servable load and answer alike?

One row a transform: how many models answered within its bound (in tests/support/contract_cases.py), the
largest error as a share of its output's largest value, and how nodes and bytes changed against the empty
list. Then every cell that was refused, or whose answers were further off, with what was said. All cells
are in WORK/contract.csv; with --write, in the contract.csv beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import shutil
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from markdown_table import show
from slims import HERE

from estimator_slim import optimize_saved_model
from estimator_slim.errors import EstimatorSlimError
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import TRANSFORMS, TransformList, transform_list

LOG = 'insert_logging(op=RequantizationRange, show_name=true, message="__requant_min_max:")'


@dataclass(frozen=True)
class Cell:
    """What became of one model under one transform.

    Attributes:
      model: its name.
      error: the largest of any answer, as a share of its output's largest value (of 1, if that is less).
      nodes, nodes_before: of the servable, and of what the empty list makes of the model.
      size, size_before: bytes, likewise.
      refused: what the error said.
      differs: how the answers do, if by more than the bound.
    """

    model: str
    error: float = 0.0
    nodes: int = 0
    nodes_before: int = 0
    size: int = 0
    size_before: int = 0
    refused: str = ""
    differs: str = ""


def run(options: argparse.Namespace) -> None:
    from tests.support.models import MODELS

    cells: dict[str, list[Cell]] = defaultdict(list)
    for number, model in enumerate(MODELS):
        folder = Path(options.work, "contract", model)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, cell in _Tried(model, folder).cells():
            cells[name].append(cell)
        shutil.rmtree(folder)
        print(f"({number + 1} of {len(MODELS)}: {model})", file=sys.stderr, flush=True)
    show(f"Each transform by itself on {len(MODELS)} models; nodes and bytes against the empty list",
         ["transform", "by", "tried", "alike", "largest error", "nodes", "bytes", "refused"],
         [_row(name, cells[name]) for name in TRANSFORMS])
    _write(os.path.join(HERE if options.write else options.work, "contract.csv"), cells)
    for name in TRANSFORMS:
        for cell in cells[name]:
            if cell.refused or cell.differs:
                print(f"- `{name}` on {cell.model}: {cell.refused or cell.differs}")


def _row(name: str, cells: list[Cell]) -> list[object]:
    answered = [cell for cell in cells if not cell.refused]
    alike = sum(not cell.differs for cell in answered)
    nodes = statistics.median([cell.nodes / cell.nodes_before for cell in answered] or [1.0])
    size = statistics.median([cell.size / cell.size_before for cell in answered] or [1.0])
    error = max((cell.error for cell in answered), default=0.0)
    return [f"`{name}`", TRANSFORMS[name].by, len(cells), alike, f"{error:.1g}", nodes, size,
            len(cells) - len(answered)]


def _write(path: str, cells: dict[str, list[Cell]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["transform", "model", "loads", "largest error", "nodes before", "nodes after",
                       "bytes before", "bytes after", "said"])
        for name in TRANSFORMS:
            for cell in cells[name]:
                rows.writerow([name, cell.model, not cell.refused, f"{cell.error:.2g}",
                               cell.nodes_before, cell.nodes, cell.size_before, cell.size,
                               cell.refused or cell.differs])


class _Tried:
    """A model of the suite, what it answers, and what it is under the empty list."""

    def __init__(self, model: str, folder: Path):
        from tests.support.ask import ask
        from tests.support.contract_cases import frozen
        from tests.support.models import MODELS

        self._model, self._folder, self._requests = model, folder, MODELS[model].requests
        self._source = tf.compat.as_str_any(MODELS[model].build(str(folder)))
        self._graph, self._log = frozen(self._source), folder / "ranges.log"
        self._wanted = ask(self._source, self._requests, optimizer=False)
        self._slim("empty", [])
        self._slim("logging", f"quantize_nodes {LOG}")
        with _stderr_into(self._log):
            ask(str(folder / "logging"), self._requests, optimizer=False)

    def _slim(self, name: str, transforms: TransformList) -> Path:
        path = self._folder / name
        shutil.rmtree(path, ignore_errors=True)
        optimize_saved_model(self._source, path, transforms, verify="off")
        return path

    def cells(self) -> Iterator[tuple[str, Cell]]:
        """(transform, what became of the model); without transforms that have no range to freeze."""
        from tests.support.contract_cases import CASES, transform

        has_ranges = "__requant_min_max:" in self._log.read_text(encoding="utf-8", errors="replace")
        for name, case in CASES.items():
            if has_ranges or "{log}" not in case.text:
                one = transform(name, self._graph, self._log)
                yield name, self._cell([*transform_list(case.before), one], case.bound)

    def _cell(self, transforms: TransformList, bound: float) -> Cell:
        from tests.support.ask import ask

        try:
            path = self._slim("slim", transforms)
        except EstimatorSlimError as e:
            return Cell(self._model, refused=f"{type(e).__name__}: {' '.join(str(e).split())[:300]}")
        before, after = _files(self._folder / "empty"), _files(path)
        got = self._wanted if before == after else ask(str(path), self._requests, optimizer=False)
        error, differs = _compared(got, self._wanted, bound)
        nodes = [len(read_servable(str(p)).graph.nodes) for p in (path, self._folder / "empty")]
        sizes = [sum(map(len, files.values())) for files in (after, before)]
        return Cell(self._model, error, *nodes, *sizes, differs=differs)


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes()
            for path in sorted(directory.rglob("*")) if path.is_file()}


def _compared(got: dict, wanted: dict, bound: float) -> tuple[float, str]:
    """The largest error, and how the first answer that is out of bounds differs."""
    from tests.support.ask import values

    largest, differs = 0.0, ""
    for key, answer in wanted.items():
        if isinstance(answer, str) or isinstance(got[key], str):
            if not (isinstance(answer, str) and got[key] == answer):
                differs = differs or f"{key}: {_short(got[key])} instead of {_short(answer)}"
            continue
        outputs = values(got[key])
        for name, value in values(answer).items():
            error = _error(outputs[name], value, exact=bound <= 1e-5)
            largest = max(largest, error)
            if error > bound:
                differs = differs or f"{key} {name}: off by {error:.3g}"
    return largest, differs


def _short(answer: Any) -> str:
    return answer if isinstance(answer, str) else "an answer"


def _error(got: np.ndarray, wanted: np.ndarray, *, exact: bool) -> float:
    """The largest difference as a share; infinite where type, shape or (if `exact`) a text differs."""
    if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
        return float("inf")
    if wanted.dtype.kind != "f":
        return float("inf") if exact and not np.array_equal(got, wanted) else 0.0
    off = np.abs(got.astype(np.float64) - wanted)[~((got == wanted) | np.isnan(got) & np.isnan(wanted))]
    return float(off.max(initial=0) / max(1.0, np.abs(wanted[np.isfinite(wanted)]).max(initial=0)))


@contextlib.contextmanager
def _stderr_into(path: Path) -> Iterator[None]:
    """While the block runs, what the process writes to stderr goes to a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(path, "wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
