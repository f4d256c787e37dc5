"""A servable that can be asked nothing is an error that says what it lacks, and not an empty success."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import SourceError, optimize_saved_model
from tests.hostile.damage import edit
from tests.support.by_hand import servable
from tests.support.training import contents

v1 = tf.compat.v1
TF1 = "return the placeholders that requests feed as receiver_tensors"
TF2 = r"the methods of its object.*are not kept.*signatures=\.\.\."


def a_layer(path: str) -> str:
    """As a model of TensorFlow Hub for TensorFlow 2."""
    class Layer(tf.Module):
        def __init__(self) -> None:
            self.table = tf.Variable(tf.ones([5000, 8]))

        @tf.function
        def __call__(self, ids: tf.Tensor) -> tf.Tensor:
            return tf.gather(self.table, ids)
    layer = Layer()
    for shape in ([None], [None, None]):
        layer.__call__.get_concrete_function(tf.TensorSpec(shape, tf.int32))
    tf.saved_model.save(layer, path)
    return path


def a_vocabulary(path: str) -> str:
    """An object with a table and no method at all."""
    holder = tf.Module()
    holder.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a"], tf.constant([1])), 0)
    tf.saved_model.save(holder, path)
    return path


def a_graph_alone(path: str) -> str:
    """What tf.compat.v1's Builder writes without signature_def_map."""
    return servable(Path(path), lambda: {})


def a_signature_of_nothing(path: str) -> str:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None])
        return {"x": x}, {"y": x * 2.0}
    source = servable(Path(path), network)
    edit(Path(source), lambda meta_graph: meta_graph.signature_def["serving_default"].outputs.clear())
    return source


def estimator(path: str, outputs: Callable, received: Callable) -> str:
    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        scores = v1.layers.dense(features["x"], 2)
        loss = tf.reduce_sum(scores)
        return tf.estimator.EstimatorSpec(
            mode, predictions=scores, loss=loss, train_op=v1.assign_add(v1.train.get_global_step(), 1),
            export_outputs={"serving_default": outputs(scores)})

    def receiver() -> Any:
        x = v1.placeholder(tf.float32, [None, 3])
        return tf.estimator.export.ServingInputReceiver({"x": x}, received(x))
    made = tf.estimator.Estimator(model_fn, f"{path}/model")
    made.train(lambda: tf.data.Dataset.from_tensors(({"x": [[1.0] * 3]}, [0])), steps=1)
    return made.export_saved_model(f"{path}/export", receiver).decode()


def a_receiver_without_its_placeholder(path: str) -> str:
    return estimator(path, tf.estimator.export.PredictOutput, lambda x: {})


def a_classifier_that_is_fed_numbers(path: str) -> str:
    return estimator(path, tf.estimator.export.ClassificationOutput, lambda x: {"x": x})


@pytest.mark.parametrize("make, why", [
    (a_layer, TF2), (a_vocabulary, TF2), (a_graph_alone, TF1), (a_signature_of_nothing, TF1),
    (a_receiver_without_its_placeholder, TF1), (a_classifier_that_is_fed_numbers, TF1)])
def test_what_can_be_asked_nothing_is_refused_with_what_it_lacks(tmp_path: Path, make: Callable,
                                                                 why: str) -> None:
    source = make(str(tmp_path / "1"))
    before = contents(tmp_path)
    with pytest.raises(SourceError, match=f"(no signatures|none of its signatures).*{why}"):
        optimize_saved_model(source, tmp_path / "slim")
    assert contents(tmp_path) == before
