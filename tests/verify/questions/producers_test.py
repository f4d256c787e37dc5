"""Servables as other programs write them: what each asks of its inputs is found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2

from estimator_slim import optimize_saved_model
from tests.support.answered import answered
from tests.support.by_hand import servable, v1, variable

ROWS = np.random.default_rng(5).normal(size=(600, 16)).astype(np.float32)
STRINGS = tf.TensorSpec([None], tf.string, name="examples")
FIELD = descriptor_pb2.FieldDescriptorProto


def saved(folder: Path, make: Callable) -> str:
    """What a producer makes: a Keras model, (inputs, outputs) of a graph, or functions of a module."""
    path = str(folder / "original")
    if make in KERAS:
        tf.saved_model.save(make(), path)
    elif make is tfx:
        module = tf.Module()
        module.table, module.kernel = tf.Variable(ROWS), tf.Variable(ROWS[:17, :1])
        tf.saved_model.save(module, path, signatures=make(module, folder))
    else:
        path = servable(folder, make)
    return path


# ---- TFX and TensorFlow Transform


def tfx(module: tf.Module, folder: Path) -> dict:
    """Sparse features of one value each, transformed by a function that the served one calls."""
    (folder / "words").write_text("taxi\nbus\ntram\n", encoding="utf-8")
    module.vocabulary = tf.lookup.StaticVocabularyTable(tf.lookup.TextFileInitializer(
        str(folder / "words"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER), 4)

    @tf.function
    def transformed(sparse: dict) -> dict:
        def filled(key: str, default: Any) -> tf.Tensor:
            one = sparse[key]
            shaped = tf.SparseTensor(one.indices, one.values, [one.dense_shape[0], 1])
            return tf.squeeze(tf.sparse.to_dense(shaped, default), 1)
        return {"company": module.vocabulary.lookup(filled("company", "")),
                "fare": (filled("fare", 0.0) - 11.5) / 3.25, "hour": filled("hour", 0)}

    @tf.function(input_signature=[STRINGS])
    def served(examples: tf.Tensor) -> dict:
        found = transformed(tf.io.parse_example(examples, {
            "company": tf.io.VarLenFeature(tf.string), "fare": tf.io.VarLenFeature(tf.float32),
            "hour": tf.io.VarLenFeature(tf.int64)}))
        wide = tf.gather(module.table, found["company"] + 10 * found["hour"])
        return {"outputs": tf.sigmoid(tf.concat([wide, found["fare"][:, None]], 1) @ module.kernel)}

    @tf.function(input_signature=[STRINGS])
    def features(examples: tf.Tensor) -> dict:
        return transformed(tf.io.parse_example(examples, {
            "company": tf.io.VarLenFeature(tf.string), "fare": tf.io.VarLenFeature(tf.float32),
            "hour": tf.io.VarLenFeature(tf.int64)}))
    return {"serving_default": served, "transform_features": features}


# ---- TF Ranking


def ranking_of_sequences() -> tuple[dict, dict]:
    """The query is the context, its documents are the steps of lists."""
    serialized = v1.placeholder(tf.string, [None], "input_ranking_data")
    context, lists, sizes = tf.io.parse_sequence_example(
        serialized, {"query": tf.io.VarLenFeature(tf.string)},
        {"utility": tf.io.FixedLenSequenceFeature([1], tf.float32, allow_missing=True),
         "tokens": tf.io.VarLenFeature(tf.string)})
    query = tf.sparse.to_dense(context["query"], "")
    table = variable("table", ROWS)
    rows = tf.reduce_mean(tf.gather(table, tf.strings.to_hash_bucket_fast(query, 600)), 1)
    scores = lists["utility"][..., 0] * tf.reduce_sum(rows, 1, keepdims=True)
    mask = tf.sequence_mask(sizes["utility"])
    return {"input_ranking_data": serialized}, {"output": tf.where(mask, scores, -100.0 + 0 * scores)}


def listed_examples() -> bytes:
    """The descriptor of the proto that holds a list of Examples and the context that they share."""
    example = descriptor_pb2.FileDescriptorProto(name="e.proto", package="tensorflow", syntax="proto3")
    example.message_type.add(name="Example")
    listed = descriptor_pb2.FileDescriptorProto(name="l.proto", package="tensorflow.serving",
                                                syntax="proto3", dependency=["e.proto"])
    message = listed.message_type.add(name="ExampleListWithContext")
    for number, (name, label) in enumerate((("examples", FIELD.LABEL_REPEATED),
                                            ("context", FIELD.LABEL_OPTIONAL)), 1):
        message.field.add(name=name, number=number, label=label, type=FIELD.TYPE_MESSAGE,
                          type_name=".tensorflow.Example")
    return b"bytes://" + descriptor_pb2.FileDescriptorSet(file=[example, listed]).SerializeToString()


def ranking_of_lists() -> tuple[dict, dict]:
    """Each request is a query: a list of Examples, and a context, unpacked from a proto."""
    serialized = v1.placeholder(tf.string, [None], "elwc")
    sizes, (examples, context) = tf.io.decode_proto(
        serialized, "tensorflow.serving.ExampleListWithContext", ["examples", "context"],
        [tf.string, tf.string], descriptor_source=listed_examples())
    parsed = v1.io.parse_example(tf.reshape(examples, [-1]), {
        "utility": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0])})
    shared = v1.io.parse_example(tf.reshape(context, [-1]), {
        "user": tf.io.FixedLenFeature([], tf.int64)})
    rows = tf.reduce_sum(tf.gather(variable("table", ROWS), shared["user"]), 1, keepdims=True)
    scores = tf.reshape(parsed["utility"], tf.shape(examples)) * rows
    return {"elwc": serialized}, {"output": tf.where(tf.sequence_mask(sizes[:, 0]), scores, 0 * scores)}


# ---- Keras


def embedding_of_floats() -> tf.keras.Model:
    """Input([12]) says nothing of integers, and Embedding takes it all the same."""
    layers = tf.keras.layers
    inputs = layers.Input([12], name="tokens")
    hidden = layers.GlobalAveragePooling1D()(layers.Embedding(5000, 8)(inputs))
    return tf.keras.Model(inputs, layers.Dense(2, activation="softmax")(hidden))


def sequential_of_floats() -> tf.keras.Model:
    """An Embedding that comes first, of rows of any length."""
    model = tf.keras.Sequential([tf.keras.layers.Embedding(5000, 8, mask_zero=True),
                                 tf.keras.layers.SimpleRNN(4), tf.keras.layers.Dense(1)])
    model.build([None, None])
    return model


def sparse_columns() -> tf.keras.Model:
    """Words as a wide sparse row, which a signature takes in parts."""
    inputs = tf.keras.Input([5000], sparse=True, name="bag")
    return tf.keras.Model(inputs, tf.keras.layers.Dense(3)(inputs))


def from_r() -> tuple[dict, dict]:
    """R has but one kind of number: ids and a mask come as doubles, under the names of layers."""
    ids = v1.placeholder(tf.float64, [None, 10], "embedding_1_input")
    mask = tf.cast(tf.not_equal(ids, 0), tf.float32)[..., None]
    rows = tf.gather(variable("table", ROWS), tf.cast(ids, tf.int32))
    mean = tf.reduce_sum(rows * mask, 1) / tf.maximum(tf.reduce_sum(mask, 1), 1.0)
    scores = mean @ variable("kernel", ROWS[:16, :3])
    return {"embedding_1_input": ids}, {"dense_1": tf.nn.softmax(scores)}


def factors_from_r() -> tuple[dict, dict]:
    """A factor beside numbers; its levels are counted from 1 there."""
    level, size = (v1.placeholder(tf.float64, [None, 1], name) for name in ("level", "size"))
    known = tf.one_hot(tf.cast(level, tf.int32)[:, 0] - 1, 5)
    with tf.control_dependencies([v1.assert_less_equal(tf.cast(level, tf.int32), 5),
                                  v1.assert_non_negative(level)]):
        return {"level": level, "size": size}, {"y": known * tf.cast(size, tf.float32)}


KERAS = [embedding_of_floats, sequential_of_floats, sparse_columns]
PRODUCERS = [tfx, ranking_of_sequences, ranking_of_lists, *KERAS, from_r, factors_from_r]


@pytest.mark.parametrize("make", PRODUCERS)
def test_most_of_what_is_asked_is_answered(make: Callable, tmp_path: Path) -> None:
    assert answered(saved(tmp_path, make)) == 1.0


def test_a_pipeline_of_tfx_is_slimmed_where_verification_is_required(tmp_path: Path) -> None:
    report = optimize_saved_model(saved(tmp_path, tfx), tmp_path / "slim",
                                  "quantize_weights(minimum_size=1)", verify="require", fallback=False)
    assert report is not None and report.verification is not None
    assert report.verification.unverified == ()
    assert {one.signature for one in report.verification.outputs} == {"serving_default",
                                                                      "transform_features"}
