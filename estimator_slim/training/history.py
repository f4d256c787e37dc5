"""A training checkpoint and its .meta: what became of each variable from the first step on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saver_pb2

from estimator_slim.checkpoint import CheckpointReader
from estimator_slim.errors import SourceError
from estimator_slim.freezing import saved_variables
from estimator_slim.graph import Graph, Interface, Weight, names
from estimator_slim.saved_model import faults
from estimator_slim.training.unknown import Unknown
from estimator_slim.training.variables import Variables

_MOST_BYTES = 1 << 28  # of a .meta; a larger one has arrays in its graph


@dataclass
class History:
    """What a training checkpoint tells.

    Attributes:
      reader: of the checkpoint.
      variables: of the graph in its .meta.
      steps: how many there were; None where that is not known.
      oldest: the step of the oldest checkpoint that was kept, and variable node → its value then.
    """

    reader: CheckpointReader
    variables: Variables
    steps: int | None
    oldest: tuple[int, Mapping[str, Weight]] | None

    def verify(self, weights: Collection[Weight]) -> None:
        """Raises SourceError if what the checkpoint holds for one of them is damaged; looks once."""
        for weight in weights:
            self._verified(weight.origin)

    def earlier(self, name: str) -> tuple[int, Weight] | None:
        """A variable as it was at an earlier step, the first at best, and that step."""
        if self.oldest is None or name not in self.oldest[1]:
            return None
        return self.oldest[0], self.oldest[1][name]

    @functools.cached_property
    def _verified(self) -> Callable[[str], None]:
        return functools.lru_cache(maxsize=None)(self.reader.verify)


def read_history(prefix: str) -> History:
    """Reads PREFIX.meta and PREFIX.index.

    Raises:
      Unknown: one is missing, damaged, too large, or they do not belong together.
    """
    meta_graph = _meta_graph(f"{prefix}.meta")
    for fault in faults(meta_graph.graph_def, []):
        what = fault.removesuffix("; export it again")
        raise Unknown(f"{prefix}.meta cannot be used: {what}. Copy it again from its source")
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    graph = Graph(nodes, Interface({}), library=meta_graph.graph_def.library)
    restore = names.node_of(meta_graph.saver_def.restore_op_name)
    try:
        reader = CheckpointReader(prefix)
        saved = saved_variables(graph, meta_graph.saver_def, reader)
    except SourceError as e:
        raise Unknown(f"the training checkpoint cannot be read: {e}") from e
    steps = _steps(saved)
    return History(reader, Variables(graph, saved, restore), steps,
                   _oldest(graph, meta_graph.saver_def, prefix, steps))


def _meta_graph(path: str) -> meta_graph_pb2.MetaGraphDef:
    advice = "Give a checkpoint as an Estimator writes it, with the .meta file beside it"
    result = meta_graph_pb2.MetaGraphDef()
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            if file.size() > _MOST_BYTES:
                raise Unknown(f"{path} has {file.size():,} bytes, more than the {_MOST_BYTES:,} that "
                              "are read: its graph holds arrays, and a table may start from one. Pass "
                              "arrays to training by a checkpoint (tf.train.init_from_checkpoint)")
            result.ParseFromString(file.read())
    except tf.errors.OpError as e:
        raise Unknown(f"what its rows started from stands in {path}, which cannot be read "
                      f"({e.message}). {advice}") from e
    except DecodeError as e:
        raise Unknown(f"{path} is damaged ({e}). {advice}") from e
    if not result.graph_def.node:
        raise Unknown(f"{path} has no graph: it is empty or cut off. {advice}")
    return result


def _steps(saved: Mapping[str, Weight]) -> int | None:
    weight = saved.get("global_step")
    return None if weight is None or weight.shape else int(weight.read(0, 1)[0])


def _oldest(graph: Graph, saver: saver_pb2.SaverDef, prefix: str, steps: int | None) -> (
        tuple[int, Mapping[str, Weight]] | None):
    """Step and variables of the oldest checkpoint kept beside this one, model.ckpt-0 at best."""
    base, _, number = prefix.rpartition("-")
    found = {}
    for path in tf.io.gfile.glob(f"{base}-*.index") if number.isdecimal() else ():
        step = path.removesuffix(".index").rpartition("-")[2]
        if step.isdecimal() and int(step) < int(number):
            found[int(step)] = path.removesuffix(".index")
    for step in sorted(found):
        try:
            saved = saved_variables(graph, saver, CheckpointReader(found[step]))
        except SourceError:  # of another model, damaged, or removed just now
            continue
        if _steps(saved) == step and (steps or 0) > step:
            return step, saved
    return None
