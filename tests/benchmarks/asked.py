#!/usr/bin/env python3
"""How many questions each original answers: every test model, and what other programs write.

    python tests/benchmarks/asked.py           # builds every model first
    python tests/benchmarks/asked.py DIR       # takes those that `outputs.py exports DIR` made

Usual questions are a typical batch, a batch of 1 and repeated values; all are these and the edge cases,
some of which an original is there to refuse. Goal: at least two thirds of the usual ones; of what
answers less, the original's own first error stands below.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator

from markdown_table import show

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))  # this file is run by its path

from estimator_slim.verify.request import Refusal  # noqa: E402
from tests.support.answered import asked, usual  # noqa: E402

SIDE_BY_SIDE = 3


def main() -> int:
    rows, short = [], []
    for name, directory in originals(*sys.argv[1:2]):
        requests, heard = asked(directory)
        counts = usual(requests, heard)
        known, of = (sum(both) for both in zip(*counts.values()))
        told = [not isinstance(answer, Refusal) for answer in heard.answers]
        rows.append((name, f"{known} / {of}", f"{sum(told)} / {len(told)}"))
        if any(3 * a < 2 * b for a, b in counts.values()):
            first = next(answer for answer in heard.answers if isinstance(answer, Refusal))
            short.append((name, f"{first.error}: {first.message}"))
    rows += [("", "", "")] * (-len(rows) % SIDE_BY_SIDE)
    lines = len(rows) // SIDE_BY_SIDE
    show("Questions answered of those asked", ["model", "usual", "all"] * SIDE_BY_SIDE,
         [list(itertools.chain(*rows[line::lines])) for line in range(lines)])
    show("Those that answer less than two thirds of the usual ones", ["model", "why"], short)
    return 0


def originals(exports: str = "") -> Iterator[tuple[str, str]]:
    """(name, directory) of each original, which is there until the next one is asked for."""
    from tests.support.by_hand import servable
    from tests.support.models import MODELS
    from tests.verify.questions.otherwise_test import KINDS
    from tests.verify.questions.producers_test import PRODUCERS, saved

    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            there = os.path.join(exports, name, "1")
            yield name, there if exports else os.fsdecode(model.build(folder))
    for network in itertools.chain(*KINDS.values()):
        with tempfile.TemporaryDirectory() as folder:
            yield network.__name__, servable(pathlib.Path(folder), network)
    for make in PRODUCERS:
        with tempfile.TemporaryDirectory() as folder:
            yield make.__name__, saved(pathlib.Path(folder), make)


if __name__ == "__main__":
    sys.exit(main())
