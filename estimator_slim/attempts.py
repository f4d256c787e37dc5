"""Attempts at one slim servable: what is written and verified, rung after rung, until one passes."""

from __future__ import annotations

import time

import numpy as np

from estimator_slim import log
from estimator_slim.graph import Graph
from estimator_slim.ladder import AS_ASKED, Effect, Effects, Rung, rungs
from estimator_slim.options import OFF, REPORT
from estimator_slim.report import Tried, Verification, phase, verdict
from estimator_slim.saved_model import (
    remove_contents,
    require_importable,
    rewritten,
    temporary_folder,
)
from estimator_slim.transforms import (
    CHOICES,
    QuantizeWeights,
    run_transforms,
    send_to_first_row,
    with_choices,
)
from estimator_slim.verify import judge
from estimator_slim.work import Work, bytes_of

_PATIENCE = 2.0  # times what the first rung took: after that, no more is measured


def climb(work: Work, directory: str) -> None:
    """Writes the first rung that passes into `directory`, an empty one, and judges it.

    The report tells of it, and of those that fell.

    Raises:
      VerificationError: none passed.
    """
    started = time.monotonic()
    report, asked = work.report, work.options.transforms

    def effects(rung: Rung) -> Effects:
        first = report.tried[0].seconds
        if time.monotonic() - started > _PATIENCE * first:
            return {}
        with phase(report.phases, "measure"):
            return _effects(work, rung)

    first = iter([Rung(AS_ASKED, asked)])
    for rung in rungs(work.options.lists, effects) if work.options.fallback else first:
        _attempt(work, rung, directory)
        found = report.verification
        if found is None or found.passed or work.options.verify == REPORT:
            break
        log.warning("estimator_slim: with %s (%s) the slim servable does not answer as its original: %s",
                    rung, rung.name, found.failures[0])
    judge(report, work.options.verify, lossless=not any(one.lossy for one in asked),
          by_flags=work.options.by_flags)


def _attempt(work: Work, rung: Rung, directory: str) -> None:
    """Writes the slim servable of one rung, in the place of another, and verifies it."""
    started, report, number = time.monotonic(), work.report, len(work.report.tried)
    report.steps, report.verification = [], None
    remove_contents(directory)
    frozen = work.frozen(rung.transforms)
    with phase(report.phases, "transform", number):
        graph, _ = run_transforms(frozen, rung.transforms, besides=work.bytes_besides,
                                  steps=report.steps)
    with phase(report.phases, "write", number) as one:
        one.nodes_before, one.bytes_before = graph.node_count, work.bytes_with(graph)
        report.nodes_after = one.nodes_after = work.write(graph, directory)
        report.bytes_after = one.bytes_after = bytes_of(directory)
    report.signatures = sorted(graph.interface.served())
    with phase(report.phases, "verify", number):
        if work.options.verify == OFF:
            require_importable(directory, work.tags)
        else:
            report.verification = _verified(work, rung, graph, directory)
    report.tried.append(Tried(
        rung.name, " ".join(map(str, rung.transforms)), report.bytes_after,
        time.monotonic() - started, report.verification, verdict(report.verification)))


def _verified(work: Work, rung: Rung, graph: Graph, directory: str) -> Verification:
    original, bounds = work.original(graph), work.bounds(rung.transforms)
    if work.options.is_auto and not original.has_labels:  # only agreement tells what dropped rows mean
        return original.compare(directory, bounds)
    with temporary_folder(work.destination) as folder:
        other = folder if rewritten(directory, folder, send_to_first_row) else None
        return original.compare(directory, bounds, other)


def _effects(work: Work, rung: Rung) -> Effects:
    """What each weight that the rung codes does to the answers; {} where that cannot be told."""
    found = [(n, one) for n, one in enumerate(rung.transforms) if isinstance(one, QuantizeWeights)]
    if len(found) != 1:
        return {}
    place, quantize = found[0]
    before, _ = run_transforms(work.frozen(rung.transforms), rung.transforms[:place])
    graph, coded = with_choices(before, quantize.apply(before)[0])
    graph, _ = run_transforms(graph, rung.transforms[place + 1:])
    if not coded:
        return {}
    none, *single = np.zeros((1 + len(coded), len(coded)), bool)
    for number, one in enumerate(single):
        one[number] = True
    with temporary_folder(work.destination) as folder:
        work.write(graph, folder)
        errors = work.original(graph).excesses(folder, CHOICES, [none, *single],
                                               work.bounds(rung.transforms))
    if errors is None or errors[0] >= 1:  # it would fail without any codes
        return {}
    return {one.name: Effect(quantize.bits_of(one.name, by_rows=one.by_rows), error)
            for one, error in zip(coded, errors[1:])}
