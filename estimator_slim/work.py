"""What all attempts at one slim servable share: the original, frozen, and the questions to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from estimator_slim.errors import SourceError
from estimator_slim.freezing import TrainingOf, freeze
from estimator_slim.graph import Graph
from estimator_slim.options import Options
from estimator_slim.report import Report, phase
from estimator_slim.saved_model import (
    ASSET_FOLDERS,
    Servable,
    copy_assets,
    write_servable,
)
from estimator_slim.training import training_left_in
from estimator_slim.transforms import (
    Bounds,
    DropUntrainedRows,
    Transform,
    allowed_by,
    fuse_lookups,
    kept_ids,
    place_weights,
)
from estimator_slim.verify import Original, Request, trained_requests


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
                                            byte_count=self.byte_count, trained=kept,
                                            memory=self.options.verify_memory))
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


def bytes_of(directory: str) -> int:
    """Bytes of all files in a directory. Raises SourceError where it disappears meanwhile."""
    try:
        return sum(tf.io.gfile.stat(os.path.join(folder, file)).length
                   for folder, _, files in tf.io.gfile.walk(directory) for file in files)
    except tf.errors.OpError as e:
        raise SourceError(f"{directory} disappears while it is read ({e.message}); keep an export until "
                          "it is optimized") from e
