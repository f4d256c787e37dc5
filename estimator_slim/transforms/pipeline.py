"""Runs transforms one after the other and keeps a record of what each did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from estimator_slim import log, progress
from estimator_slim.errors import TransformError
from estimator_slim.graph import Graph
from estimator_slim.report import Step, Treatment
from estimator_slim.transforms.base import Skip, Transform
from estimator_slim.transforms.bounds import LOSSLESS, Bounds
from estimator_slim.usage import measured


def run_transforms(graph: Graph, transforms: Sequence[Transform], *,
                   besides: int = 0, steps: list[Step] | None = None) -> tuple[Graph, list[Step]]:
    """The graph after all of `transforms`, and one Step for each.

    Args:
      graph: stays as it is.
      transforms: run in this order.
      besides: bytes of a servable's files that no transform changes, which steps count too.
      steps: the list that gets each Step as soon as it is done.

    Raises:
      TransformError: naming the transform that failed and those that ran before it.
    """
    steps = [] if steps is None else steps
    byte_count = graph.byte_count + besides
    for transform in transforms:
        try:
            with measured() as usage:
                result, told = transform.apply(graph)
        except TransformError as e:
            before = " ".join(s.transform for s in steps) or "nothing"
            raise TransformError(f"transform {transform} failed (after {before}): {e}\nLeave it out "
                                 "of the list, or give it ignore_errors=true") from e
        steps.append(Step(
            str(transform), usage.seconds, graph.node_count, result.node_count,
            skipped=[(one.node, one.reason) for one in told if isinstance(one, Skip)],
            treated=[one for one in told if isinstance(one, Treatment)],
            bytes_before=byte_count, bytes_after=result.byte_count + besides,
            peak_memory=usage.peak_memory))
        log.debug("estimator_slim: %s", steps[-1])
        progress.tell(f"{transform}: {graph.node_count} -> {result.node_count} nodes")
        graph, byte_count = result, steps[-1].bytes_after
    return graph, steps


def allowed_by(transforms: Sequence[Transform], *, max_error: float | None = None,
               min_agreement: float | None = None,
               max_accuracy_loss: float | None = None) -> Bounds:
    """What the coarsest of `transforms` allows; a number that is given alone judges its kind instead."""
    usual = min([LOSSLESS, *(one.bounds for one in transforms)], key=lambda one: one.snr)
    chosen = {"max_error": max_error, "min_agreement": min_agreement}
    given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    return replace(usual, given=frozenset(given), max_accuracy_loss=max_accuracy_loss, **given)
