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
from estimator_slim.freezing import TrainingOf, freeze
from estimator_slim.graph import Graph
from estimator_slim.ladder import AS_ASKED, Effect, Effects, Rung, rungs
from estimator_slim.options import OFF, REPORT, Options
from estimator_slim.report import Report, Tried, Verification, phase, verdict
from estimator_slim.saved_model import (
    ASSET_FOLDERS,
    Servable,
    copy_assets,
    remove_contents,
    require_importable,
    rewritten,
    temporary_folder,
    write_servable,
)
from estimator_slim.training import training_left_in
from estimator_slim.transforms import (
    CHOICES,
    Bounds,
    DropUntrainedRows,
    QuantizeWeights,
    Transform,
    allowed_by,
    fuse_lookups,
    kept_ids,
    place_weights,
    run_transforms,
    send_to_first_row,
    with_choices,
)
from estimator_slim.verify import Original, Request, judge, trained_requests

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
      report: is filled in as the work goes on.
    """

    servable: Servable
    options: Options
    tags: tuple[str, ...]
    destination: str
    requests: Sequence[Request]
    report: Report

    def frozen(self, transforms: Sequence[Transform]) -> Graph:
        """The original with weights in place of variables, as these transforms need it."""
        return self._trained if any(one.reads_checkpoint for one in transforms) else self._untrained

    @functools.cached_property
    def _untrained(self) -> Graph:
        return self._freeze(None)

    @functools.cached_property
    def _trained(self) -> Graph:
        """The same, with what training left of each row."""
        checkpoint = self.options.checkpoint
        if checkpoint is None:
            return self._untrained
        random = {name for one in self.options.transforms if isinstance(one, DropUntrainedRows)
                  for name in one.random}
        return self._freeze(training_left_in(checkpoint, self.servable.checkpoint, random))

    def _freeze(self, training_of: TrainingOf | None) -> Graph:
        with phase(self.report.phases, "freeze") as one:
            one.nodes_before, one.bytes_before = self.servable.graph.node_count, self.byte_count
            graph = freeze(self.servable, training_of)
            one.nodes_after, one.bytes_after = graph.node_count, self.bytes_with(graph)
        return graph

    @functools.cached_property
    def byte_count(self) -> int:
        """Of the original's files."""
        return bytes_of(self.servable.directory)

    @functools.cached_property
    def bytes_besides(self) -> int:
        """Of what stays as it is: assets, signatures, the list of operations."""
        kept = self.servable.meta_graph
        assets = [os.path.join(self.servable.directory, folder) for folder in ASSET_FOLDERS]
        return (sum(map(bytes_of, assets)) + kept.meta_info_def.ByteSize()
                + sum(one.ByteSize() for one in kept.signature_def.values()))

    def bytes_with(self, graph: Graph) -> int:
        """Of the files of a servable of this graph."""
        return graph.byte_count + self.bytes_besides

    def original(self, slim: Graph) -> Original:
        """The original, to hold slim servables against; `slim` is the graph of the first of them.

        Where that has lost rows, it is also asked for such that it has.
        """
        if not self._originals:
            kept = kept_ids(slim)
            more = trained_requests(self.servable, kept) if kept else []
            self._originals.append(Original(self.servable, [*self.requests, *more], tags=self.tags,
                                            byte_count=self.byte_count, trained=kept))
        return self._originals[0]

    @property
    def asked(self) -> Sequence[Request]:
        """The questions that the original was asked in the end, or those that were made for it."""
        return self._originals[0].requests if self._originals else self.requests

    @functools.cached_property
    def _originals(self) -> list[Original]:
        return []

    def bounds(self, transforms: Sequence[Transform]) -> Bounds:
        """What is allowed after these transforms."""
        return allowed_by(transforms, max_error=self.options.max_error,
                          min_agreement=self.options.min_agreement,
                          max_accuracy_loss=self.options.max_accuracy_loss)

    def write(self, graph: Graph, directory: str) -> int:
        """Writes a transformed graph into an empty directory; returns its nodes there."""
        graph = fuse_lookups(place_weights(graph, self.options.weights))
        nodes = write_servable(graph, self.servable, directory, meta_graphs=self.options.meta_graphs)
        copy_assets(self.servable.directory, directory, [a.filename for a in graph.interface.assets])
        return nodes


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


def bytes_of(directory: str) -> int:
    """Bytes of all files in a directory. Raises SourceError where it disappears meanwhile."""
    try:
        return sum(tf.io.gfile.stat(os.path.join(folder, file)).length
                   for folder, _, files in tf.io.gfile.walk(directory) for file in files)
    except tf.errors.OpError as e:
        raise SourceError(f"{directory} disappears while it is read ({e.message}); keep an export until "
                          "it is optimized") from e
