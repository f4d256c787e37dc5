"""estimator-slim bench: load time, latency, throughput and memory of two servables, side by side.

Each measurement is a process of its own, and the two take turns (A B, B A, A B, ...), so that what else
the machine does falls on both. A ratio is that of the two in one round; told are the median of the
rounds and their range, which holds the true median in 15 of 16 cases after five rounds. Where 1 is in
it, nothing is known of which of the two is better, and that is said.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from estimator_slim.choosing import resolve
from estimator_slim.cli import exit_codes
from estimator_slim.cli.apart import measured_apart
from estimator_slim.cli.parsing import add_json, add_servable, add_tags
from estimator_slim.cli.tables import columns
from estimator_slim.errors import OptionError, SourceError
from estimator_slim.libraries import import_libraries
from estimator_slim.options import FUNCTION

if TYPE_CHECKING:
    from estimator_slim.cli.remote import Remote
    from estimator_slim.cli.timing import Timed
    from estimator_slim.saved_model import Servable

TAKES = "A B"
HELP = "Measures two servables side by side: load, latency, throughput, memory."
OPTIONS = ("verify_examples", "imports")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    add_servable(parser, "a", "folder of one exported version")
    add_servable(parser, "b", "another of the same model, as its slim servable")
    parser.add_argument("--signature", help="that is asked (default: predict where there is one, else "
                        "serving_default, else the first)")
    parser.add_argument("--batches", type=_numbers, default=(1, 64), metavar="N,N",
                        help="rows of a request (default: 1,64)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that each batch size is asked for, "
                        "in a round (default: 2)")
    parser.add_argument("--clients", type=int, default=4, help="that ask at once (default: 4)")
    parser.add_argument("--server", metavar="HOST:PORT", help="measure the two in a running TensorFlow "
                        "Serving, by gRPC")
    parser.add_argument("--models", metavar="A,B", help="their names there (default: those of the "
                        "folders that A and B are versions in)")
    add_tags(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints what both take; returns the exit code."""
    jobs = _jobs(arguments)
    rounds: list[list[dict[str, float]]] = []
    for number in range(arguments.rounds):
        order = jobs if number % 2 == 0 else jobs[::-1]
        found = [measured_apart(one) for one in order]
        rounds.append(found if number % 2 == 0 else found[::-1])
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    result = {"a": arguments.a, "b": arguments.b, "signature": jobs[0].asking.signature,
              "rounds": arguments.rounds, "measured": _summary(rounds)}
    print(json.dumps(result, indent=1) if arguments.json else _told(result))
    return exit_codes.DONE


def _numbers(text: str) -> tuple[int, ...]:
    found = tuple(int(one) for one in text.split(","))
    if min(found) < 1:
        raise ValueError(text)
    return found


def _jobs(arguments: argparse.Namespace) -> list[Timed] | list[Remote]:
    from estimator_slim.cli.remote import Remote
    from estimator_slim.cli.timing import Asking, Timed
    from estimator_slim.saved_model import read_servable
    options = resolve(FUNCTION)
    if min(arguments.rounds, arguments.clients) < 1:
        raise OptionError("--rounds, --clients: expected 1 or more")
    import_libraries(options.imports)
    servable = read_servable(arguments.a, arguments.tags)
    read_servable(arguments.b, arguments.tags)
    signature = _signature(servable, arguments.signature)
    inputs = _inputs(servable, signature, options.verify_examples)
    asking = Asking(signature, inputs, arguments.batches, arguments.seconds, arguments.clients)
    if arguments.server:
        return [Remote(arguments.server, model, asking) for model in _models(arguments)]
    return [Timed(directory, tuple(arguments.tags), options.imports, asking)
            for directory in (arguments.a, arguments.b)]


def _models(arguments: argparse.Namespace) -> list[str]:
    """The names of the two in the server: `best` for `export/best/1700000000`."""
    if arguments.models:
        return list(arguments.models.split(","))
    return [os.path.basename(os.path.dirname(os.path.abspath(one)))
            for one in (arguments.a, arguments.b)]


def _signature(servable: Servable, chosen: str | None) -> str:
    there = [*servable.graph.interface.served()]
    if chosen is not None and chosen not in there:
        raise OptionError(f"--signature: {servable.directory} has no {chosen!r}; expected one of "
                          f"{', '.join(there)}")
    return chosen or next((one for one in ("predict", "serving_default") if one in there), there[0])


def _inputs(servable: Servable, signature: str, examples: str | None) -> dict[str, Any]:
    """What verification asks first of this signature, where that are rows that make batches."""
    import numpy as np

    from estimator_slim.verify import questions_for
    for one in questions_for(servable, examples=examples):
        values = one.inputs.values()
        if one.signature == signature and values and all(
                isinstance(value, np.ndarray) and value.ndim and len(value) == one.row_count() > 0
                for value in values):
            return dict(one.inputs)
    raise SourceError(f"{servable.directory}: no batches can be made for the signature {signature!r}; "
                      "expected inputs with a row for each example. Give another --signature")


def _summary(rounds: list[list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """What is measured → medians of both, and median and range of the rounds' ratios."""
    values: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for a, b in rounds:
        for name in a:
            values[name].append((a[name], b[name]))
    found = {}
    for name, pairs in values.items():
        ratios = [b / a for a, b in pairs if a > 0]
        found[name] = {"a": statistics.median(a for a, _ in pairs),
                       "b": statistics.median(b for _, b in pairs),
                       "ratio": statistics.median(ratios) if ratios else None,
                       "range": [min(ratios), max(ratios)] if ratios else None}
    return found


def _told(result: dict[str, Any]) -> str:
    rows = [["", "A", "B", "B / A", "from", "to", ""]]
    for name, one in result["measured"].items():
        rows.append([name, f"{one['a']:,.3f}", f"{one['b']:,.3f}", *_ratio_cells(one)])
    return "\n".join([f"A: {result['a']}", f"B: {result['b']}", "", *columns(rows), "",
                      f"signature {result['signature']}; medians of {result['rounds']} rounds, each in "
                      "a process of its own; from and to: of the ratios of the rounds"])


def _ratio_cells(one: dict[str, Any]) -> list[str]:
    if one["range"] is None:
        return ["", "", "", ""]
    low, high = one["range"]
    return [f"{one['ratio']:.3f}", f"{low:.3f}", f"{high:.3f}",
            "no difference shown" if low <= 1 <= high else ""]
