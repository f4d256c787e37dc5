"""Writes a servable around one embedding table of any size, without ever holding the table.

The graph is an estimator's model_fn: tf.Examples, a feature column, a dense layer, a Saver that
restores it. Only the values are made up: they are streamed straight into variables/.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from estimator_slim.checkpoint.writer import CheckpointWriter

tf1 = tf.compat.v1
DIMENSION = 256
ROW_BYTES = 4 * DIMENSION
_ROWS_AT_ONCE = 8192


def write_servable(directory: str, rows: int) -> None:
    """A servable whose table is float32 [rows, 256]; feature `id`; outputs `row`, `probabilities`."""
    with tf.Graph().as_default() as graph:
        signature = _model(rows)
        saver = tf1.train.Saver(sharded=True)
        variables = {v.op.name: v.shape.as_list() for v in tf1.global_variables()}
        meta_graph = tf1.train.export_meta_graph(graph=graph, saver_def=saver.as_saver_def())
    meta_graph.meta_info_def.tags.append(tf.saved_model.SERVING)
    meta_graph.signature_def["predict"].CopyFrom(signature)
    _write_graph(directory, meta_graph)
    _write_values(os.path.join(directory, "variables"), variables)


def _model(rows: int) -> meta_graph_pb2.SignatureDef:
    column = tf.feature_column.embedding_column(
        tf.feature_column.categorical_column_with_identity("id", rows), DIMENSION)
    examples = tf1.placeholder(tf.string, [None], "input_example_tensor")
    features = tf.io.parse_example(examples, tf.feature_column.make_parse_example_spec([column]))
    with tf1.variable_scope("model", use_resource=True):
        row = tf1.feature_column.input_layer(features, [column])
        kernel = tf1.get_variable("kernel", [DIMENSION, 16])
        probabilities = tf.nn.softmax(row @ kernel)
    return tf1.saved_model.predict_signature_def(
        {"examples": examples}, {"row": row, "probabilities": probabilities})


def _write_graph(directory: str, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    os.makedirs(os.path.join(directory, "variables"))
    saved_model = saved_model_pb2.SavedModel(saved_model_schema_version=1, meta_graphs=[meta_graph])
    with open(os.path.join(directory, "saved_model.pb"), "wb") as file:
        file.write(saved_model.SerializeToString())


def _write_values(folder: str, variables: dict[str, list[int]]) -> None:
    rng = np.random.default_rng(0)
    with CheckpointWriter(os.path.join(folder, "variables")) as writer:
        for name, shape in variables.items():
            writer.add(name, np.float32, tuple(shape), _values(rng, *shape))


def _values(rng: np.random.Generator, rows: int, width: int) -> Iterator[np.ndarray]:
    for start in range(0, rows, _ROWS_AT_ONCE):
        yield rng.standard_normal((min(_ROWS_AT_ONCE, rows - start), width), np.float32) / np.float32(16)


def write_examples(path: str, ids: Iterable[int]) -> None:
    """One Example for each id."""
    with tf.io.TFRecordWriter(path) as writer:
        for one in ids:
            example = tf.train.Example()
            example.features.feature["id"].int64_list.value.append(one)
            writer.write(example.SerializeToString())
