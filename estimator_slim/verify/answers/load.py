"""What loading a servable takes of memory, as its files tell it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.freezing import ASSIGN_OPS
from estimator_slim.graph import VARIABLE_OPS, Graph, attribute, attributes, names
from estimator_slim.saved_model import meta_graph_of
from estimator_slim.verify.answers.asking import Job
from estimator_slim.verify.answers.lookups import LookedUp, graph_of, looked_up, prefix_of

_TIMES_ON_DISK = 8   # what is loaded is no larger: codes of 4 bits are decoded to 32
_TIMES_A_GRAPH = 4   # a graph is parsed, copied, and copied when it is optimized


@dataclass(frozen=True)
class Load:
    """What loading a servable takes.

    Attributes:
      byte_count: of memory, beside TensorFlow's own.
      largest: the variable with the most bytes of those that are loaded; `` where none is.
      its_bytes: of this variable.
      left: the tables that stay in their files.
    """

    byte_count: int
    largest: str
    its_bytes: int
    left: tuple[LookedUp, ...]


def most_bytes(directory: str) -> int:
    """What loading it does not exceed, by the sizes of its files alone."""
    files = (os.path.join(folder, name) for folder, _, inside in tf.io.gfile.walk(directory)
             for name in inside)
    return _TIMES_ON_DISK * sum(tf.io.gfile.stat(path).length for path in files)


def load_of(job: Job) -> Load:
    """What loading a job's servable takes.

    Raises:
      SourceError: it cannot be read.
    """
    meta_graph, prefix = meta_graph_of(job.directory, job.tags), prefix_of(job.directory)
    graph, left = graph_of(meta_graph), list[LookedUp]()
    if prefix and job.in_files is not None:
        left = looked_up(graph, meta_graph, prefix, job.in_files)
    stay = {one.name for one in left}
    loaded = {name: size for name, size in _variables(graph, meta_graph) if name not in stay}
    largest = max(loaded, key=lambda name: loaded[name], default="")
    return Load(_TIMES_A_GRAPH * meta_graph.ByteSize() + sum(loaded.values()), largest,
                loaded.get(largest, 0), tuple(left))


def _variables(graph: Graph, meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[tuple[str, int]]:
    """(name, bytes) of each variable that is restored."""
    for name in graph.ancestors([names.node_of(meta_graph.saver_def.restore_op_name)]):
        node = graph.nodes[name]
        if node.op in ASSIGN_OPS:
            variable = graph.producer(node.input[0])
            shape = tf.TensorShape(attribute(variable, "shape").shape)
            if variable.op in VARIABLE_OPS and shape.is_fully_defined():
                size = attributes.dtype(variable, "dtype").base_dtype.size
                yield variable.name, size * math.prod(shape.as_list())
