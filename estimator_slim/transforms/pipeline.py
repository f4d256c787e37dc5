"""Runs transforms one after the other and keeps a record of what each did."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from estimator_slim import log
from estimator_slim.errors import TransformError
from estimator_slim.graph import Graph
from estimator_slim.report import Step, Treatment
from estimator_slim.transforms.base import Skip, Transform
from estimator_slim.transforms.bounds import LOSSLESS, Bounds


def run_transforms(graph: Graph, transforms: Sequence[Transform]) -> tuple[Graph, list[Step]]:
    """The graph after all of `transforms`, and one Step for each.

    Raises:
      TransformError: naming the transform that failed and those that ran before it.
    """
    steps: list[Step] = []
    for transform in transforms:
        started = time.monotonic()
        try:
            result, told = transform.apply(graph)
        except TransformError as e:
            before = " ".join(s.transform for s in steps) or "nothing"
            raise TransformError(f"transform {transform} failed (after {before}): {e}\nLeave it out "
                                 "of the list, or give it ignore_errors=true") from e
        steps.append(Step(str(transform), time.monotonic() - started, len(graph.nodes),
                          len(result.nodes),
                          [(one.node, one.reason) for one in told if isinstance(one, Skip)],
                          [one for one in told if isinstance(one, Treatment)]))
        log.debug("estimator_slim: %s", steps[-1])
        graph = result
    return graph, steps


def allowed_by(transforms: Sequence[Transform], *, max_error: float | None = None,
               min_agreement: float | None = None) -> Bounds:
    """What the coarsest of `transforms` allows; a number that is given alone judges its kind instead."""
    usual = min([LOSSLESS, *(one.bounds for one in transforms)], key=lambda one: one.snr)
    chosen = {"max_error": max_error, "min_agreement": min_agreement}
    given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    return replace(usual, given=frozenset(given), **given)
