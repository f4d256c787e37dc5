"""Attempts at one slim servable: what is written and verified, rung after rung, until one passes."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import SourceError
from estimator_slim.freezing import freeze
from estimator_slim.graph import Graph
from estimator_slim.ladder import AS_ASKED, Effect, Effects, Rung, rungs
from estimator_slim.options import OFF, REPORT, Options
from estimator_slim.report import Report, Tried
from estimator_slim.saved_model import (
    Servable,
    copy_assets,
    remove_contents,
    require_importable,
    temporary_folder,
    write_servable,
)
from estimator_slim.transforms import (
    CHOICES,
    Bounds,
    QuantizeWeights,
    Transform,
    allowed_by,
    fuse_lookups,
    place_weights,
    run_transforms,
    with_choices,
)
from estimator_slim.verify import Original, Request, judge

_PATIENCE = 2.0  # times what the first rung took: after that, no more is measured


@dataclass(frozen=True)
class Work:
    """What all attempts at one slim servable share.

    Attributes:
      servable: the original, as read.
      options: what was chosen.
      tags: of the MetaGraph.
      destination: where the slim servable is to appear.
      requests: the questions to both servables.
    """

    servable: Servable
    options: Options
    tags: tuple[str, ...]
    destination: str
    requests: Sequence[Request]

    @functools.cached_property
    def frozen(self) -> Graph:
        """The original with weights in place of variables."""
        return freeze(self.servable)

    @functools.cached_property
    def byte_count(self) -> int:
        """Of the original's files."""
        return bytes_of(self.servable.directory)

    @functools.cached_property
    def original(self) -> Original:
        """The original, to hold slim servables against."""
        return Original(self.servable, self.requests, tags=self.tags, byte_count=self.byte_count)

    def bounds(self, transforms: Sequence[Transform]) -> Bounds:
        """What is allowed after these transforms."""
        return allowed_by(transforms, max_error=self.options.max_error,
                          min_agreement=self.options.min_agreement)

    def write(self, graph: Graph, directory: str) -> int:
        """Writes a transformed graph into an empty directory; returns its nodes there."""
        graph = fuse_lookups(place_weights(graph, self.options.weights))
        nodes = write_servable(graph, self.servable, directory, meta_graphs=self.options.meta_graphs)
        copy_assets(self.servable.directory, directory, [a.filename for a in graph.interface.assets])
        return nodes


def climb(work: Work, directory: str) -> Report:
    """Writes the first rung that passes into `directory`, an empty one, and judges it.

    Raises:
      VerificationError: none passed.
    """
    started = time.monotonic()
    tried: list[Tried] = []
    asked = work.options.transforms

    def effects(rung: Rung) -> Effects:
        first = tried[0].seconds
        return {} if time.monotonic() - started > _PATIENCE * first else _effects(work, rung)

    ladder = rungs(asked, effects) if work.options.fallback else iter([Rung(AS_ASKED, asked)])
    for rung in ladder:
        report = _attempt(work, rung, directory)
        tried.append(Tried(rung.name, " ".join(map(str, rung.transforms)), report.bytes_after,
                           report.seconds, report.verification))
        found = report.verification
        if found is None or found.passed or work.options.verify == REPORT:
            break
        log.warning("estimator_slim: with %s (%s) the slim servable does not answer as its original: %s",
                    rung, rung.name, found.failures[0])
    report.tried = tried
    judge(report, work.options.verify, lossless=not any(one.lossy for one in asked),
          by_flags=work.options.by_flags)
    return report


def _attempt(work: Work, rung: Rung, directory: str) -> Report:
    """Writes the slim servable of one rung, in the place of another, and verifies it."""
    started = time.monotonic()
    remove_contents(directory)
    graph, steps = run_transforms(work.frozen, rung.transforms)
    nodes = work.write(graph, directory)
    report = Report(
        source=work.servable.directory, destination=work.destination,
        signatures=sorted(graph.interface.served()),
        bytes_before=work.byte_count, bytes_after=bytes_of(directory),
        nodes_before=work.servable.graph.node_count, nodes_after=nodes, seconds=0.0, steps=steps)
    if work.options.verify == OFF:
        require_importable(directory, work.tags)
    else:
        report.verification = work.original.compare(directory, work.bounds(rung.transforms))
    report.seconds = time.monotonic() - started
    return report


def _effects(work: Work, rung: Rung) -> Effects:
    """What each weight that the rung codes does to the answers; {} where that cannot be told."""
    found = [(n, one) for n, one in enumerate(rung.transforms) if isinstance(one, QuantizeWeights)]
    if len(found) != 1:
        return {}
    place, quantize = found[0]
    before, _ = run_transforms(work.frozen, rung.transforms[:place])
    graph, coded = with_choices(before, quantize.apply(before)[0])
    graph, _ = run_transforms(graph, rung.transforms[place + 1:])
    if not coded:
        return {}
    none, *single = np.zeros((1 + len(coded), len(coded)), bool)
    for number, one in enumerate(single):
        one[number] = True
    with temporary_folder(work.destination) as folder:
        work.write(graph, folder)
        errors = work.original.excesses(folder, CHOICES, [none, *single], work.bounds(rung.transforms))
    if errors is None or errors[0] >= 1:  # it would fail without any codes
        return {}
    return {one.name: Effect(quantize.bits_of(one.name, by_rows=one.by_rows), error)
            for one, error in zip(coded, errors[1:])}


def bytes_of(directory: str) -> int:
    """Bytes of all files in a directory. Raises SourceError where it disappears meanwhile."""
    try:
        return sum(tf.io.gfile.stat(os.path.join(folder, file)).length
                   for folder, _, files in tf.io.gfile.walk(directory) for file in files)
    except tf.errors.OpError as e:
        raise SourceError(f"{directory} disappears while it is read ({e.message}); keep an export until "
                          "it is optimized") from e
