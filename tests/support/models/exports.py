"""Unusual exports: alternatives, all modes, text protos, extra assets, feeds in mid-graph."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.models.canned_dnn import ASKED, LABELS, NAMES, hashed, train
from tests.support.models.zoo import config, examples, export, export_parsing, model, texts, train_model


def _classifier(directory: str) -> Any:
    return tf.estimator.DNNClassifier([8], [hashed("mean", 3000, 8)], n_classes=3,
                                      label_vocabulary=NAMES, config=config(directory))


def _spec() -> dict:
    return {"words": tf.io.VarLenFeature(tf.string)}


_SPARSE = tf.compat.v1.SparseTensorValue([[0, 0], [0, 1], [2, 0]], texts("turn", "on", "new"),
                                         [3, 2])
_NOTHING = tf.compat.v1.SparseTensorValue(np.zeros((0, 2), np.int64), texts(), [1, 0])


@model({"examples": ASKED[1], "inputs": ASKED[1], "words": _SPARSE},
       {"examples": ASKED[4], "inputs": ASKED[4], "words": _NOTHING})
def receiver_alternatives(directory: str) -> str:
    """Signatures that feed the words after parsing, and the parsed sparse tensor in mid-graph."""
    def receiver() -> Any:
        serialized = tf.compat.v1.placeholder(tf.string, [None], "examples")
        parsed = tf.io.parse_example(serialized, _spec())
        return tf.estimator.export.ServingInputReceiver(
            parsed, {"examples": serialized}, {"parsed": {"words": parsed["words"]}})
    return export(directory, _classifier(directory), train(LABELS), receiver)


@model({"words": _SPARSE}, {"words": _NOTHING})
def feed_in_mid_graph(directory: str) -> str:
    """Only the parsed words are fed; the parser stays behind unused."""
    def receiver() -> Any:
        serialized = tf.compat.v1.placeholder(tf.string, [None], "examples")
        parsed = tf.io.parse_example(serialized, _spec())
        return tf.estimator.export.ServingInputReceiver(parsed, {"words": parsed["words"]})
    return export(directory, _classifier(directory), train(LABELS), receiver)


@model(*ASKED)
def all_modes(directory: str) -> str:
    """Three MetaGraphs (train, eval, serve) over one checkpoint that has the slots."""
    estimator = _classifier(directory)
    train_model(estimator, train(LABELS))
    receivers = {
        tf.estimator.ModeKeys.PREDICT:
            tf.estimator.export.build_parsing_serving_input_receiver_fn(_spec()),
        tf.estimator.ModeKeys.TRAIN: _supervised, tf.estimator.ModeKeys.EVAL: _supervised}
    path = estimator.experimental_export_all_saved_models(
        os.path.join(directory, "export"), receivers)
    return tf.compat.as_str(path)


def _supervised() -> Any:
    features = {"words": tf.compat.v1.placeholder(tf.string, [None, None], "words")}
    labels = tf.compat.v1.placeholder(tf.string, [None, 1], "labels")
    return tf.estimator.experimental.build_raw_supervised_input_receiver_fn(features, labels)()


@model(*ASKED)
def as_text(directory: str) -> str:
    """saved_model.pbtxt instead of saved_model.pb."""
    column = hashed("mean", 3000, 8)
    return export_parsing(directory, _classifier(directory), train(LABELS), [column], as_text=True)


@model(*ASKED)
def assets_extra(directory: str) -> str:
    """Files in assets.extra/, where Serving looks for warm-up requests."""
    path = os.path.join(directory, "warm_up")
    with open(path, "wb") as file:
        file.write(b"\x00record\xff")
    column = hashed("mean", 3000, 8)
    extra = {"tf_serving_warmup_requests": path, "notes/read me.txt": path}
    return export_parsing(directory, _classifier(directory), train(LABELS), [column],
                          assets_extra=extra)


@model(examples({"words": ["turn", "on"]}), *ASKED[1:3])
def batch_of_fixed_size(directory: str) -> str:
    """A receiver that takes batches of one example only."""
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(_spec(),
                                                                           default_batch_size=1)
    return export(directory, _classifier(directory), train(LABELS), receiver)
