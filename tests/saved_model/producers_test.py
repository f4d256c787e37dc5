"""SavedModels in the forms of programs that people have, each made here, are read and slimmed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import SourceError, optimize_saved_model
from tests.support.by_hand import variable

v1 = tf.compat.v1
TABLE = np.random.default_rng(3).normal(size=(9000, 16)).astype(np.float32)


def of_tf_hub(folder: Path) -> str:
    """A module of TensorFlow Hub for TensorFlow 1: one MetaGraph without a tag, one for training."""
    path = str(folder / "module")
    with tf.Graph().as_default(), v1.Session() as session:
        ids = v1.placeholder(tf.int64, [None, None], "ids")
        with v1.variable_scope("module"):
            embedded = tf.reduce_mean(tf.gather(variable("table", TABLE), ids), 1)
        session.run(v1.global_variables_initializer())
        signatures = {"default": v1.saved_model.predict_signature_def(
            {"ids": ids}, {"default": embedded})}
        builder = v1.saved_model.Builder(path)
        builder.add_meta_graph_and_variables(session, [], signatures)
        builder.add_meta_graph(["train"], signatures)
        builder.save()
    Path(path, "tfhub_module.pb").write_bytes(b"\x08\x03")  # its format's number
    return path


def of_tfma(folder: Path) -> str:
    """What TensorFlow Model Analysis evaluates: streaming metrics, and features in collections."""
    path = str(folder / "eval" / "1700000000")
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], "input_example_placeholder")
        parsed = tf.io.parse_example(examples, {"ids": tf.io.FixedLenFeature([4], tf.int64),
                                                "label": tf.io.FixedLenFeature([1], tf.float32)})
        rows = tf.gather(variable("table", TABLE), parsed["ids"])
        logit = tf.reduce_sum(tf.reduce_mean(rows, 1), 1, keepdims=True)
        mean, update = v1.metrics.mean(tf.abs(logit - parsed["label"]))
        for name, tensor in {**parsed, "predictions": logit}.items():
            key = f"evaluation_only_metadata/features/{name}"
            v1.add_to_collection(key, v1.saved_model.build_tensor_info(tensor))
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        signature = v1.saved_model.predict_signature_def(
            {"examples": examples}, {"logits": logit, "metrics/mean/value": mean,
                                     "metrics/mean/update_op": update})
        builder = v1.saved_model.Builder(path)
        builder.add_meta_graph_and_variables(
            session, ["eval_saved_model"], {"eval_saved_model": signature},
            main_op=v1.local_variables_initializer())
        builder.save()
    return path


def bert(folder: Path) -> str:
    """Embeddings, attention and normalisations with the epsilon of Transformers, as Keras saves them."""
    path = str(folder / "bert" / "1")
    tf.keras.utils.set_random_seed(1)
    layers = tf.keras.layers
    ids, mask, kinds = (tf.keras.Input([None], dtype=tf.int32, name=name)
                        for name in ("input_ids", "input_mask", "segment_ids"))
    small = tf.keras.initializers.TruncatedNormal(stddev=0.02)
    hidden = layers.Add()([layers.Embedding(9000, 16, embeddings_initializer=small)(ids),
                           layers.Embedding(2, 16, embeddings_initializer=small)(kinds)])
    hidden = layers.LayerNormalization(epsilon=1e-12)(hidden)
    seen = layers.Lambda(lambda one: tf.cast(one[:, tf.newaxis, :], tf.bool))(mask)
    for _ in range(2):
        attended = layers.MultiHeadAttention(2, 8)(hidden, hidden, attention_mask=seen)
        hidden = layers.LayerNormalization(epsilon=1e-12)(hidden + 0.01 * attended)
        wide = layers.Dense(32, activation="gelu")(hidden)
        hidden = layers.LayerNormalization(epsilon=1e-12)(hidden + layers.Dense(16)(wide))
    pooled = layers.Dense(16, activation="tanh", name="pooled_output")(hidden[:, 0])
    tf.keras.Model([ids, mask, kinds], pooled).save(path)
    return path


@pytest.mark.parametrize("make, tags, signature", [
    (of_tf_hub, [], "default"), (of_tfma, ["eval_saved_model"], "eval_saved_model"),
    (bert, ["serve"], "serving_default")])
def test_it_is_slimmed_and_answers_alike(tmp_path: Path, make: Any, tags: Sequence[str],
                                         signature: str) -> None:
    source = make(tmp_path)
    report = optimize_saved_model(source, tmp_path / "slim", tags=tags, verify="enforce", fallback=False)
    assert report is not None and report.verification is not None and report.verification.passed
    assert report.signatures == [signature] and report.verification.outputs
    assert report.bytes_after < report.bytes_before / 2
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, tags, str(tmp_path / "slim"))


@pytest.mark.parametrize("make, available", [
    (of_tf_hub, r"tags=\[\] or tags=\['train'\]"), (of_tfma, r"tags=\['eval_saved_model'\]")])
def test_the_tags_that_there_are_are_named(tmp_path: Path, make: Any, available: str) -> None:
    with pytest.raises(SourceError, match=f"no MetaGraph tagged .'serve'.; give {available}, which"):
        optimize_saved_model(make(tmp_path), tmp_path / "slim")


def test_sagemakers_folder_gets_one_beside_it(tmp_path: Path) -> None:
    """It serves what is in export/Servo, exported by a receiver of the features as they are."""
    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        table = v1.get_variable("table", initializer=tf.constant(TABLE))
        scores = tf.reduce_mean(tf.gather(table, features["inputs"]), 1)
        loss = tf.reduce_sum(scores)
        return tf.estimator.EstimatorSpec(
            mode, predictions={"scores": scores}, loss=loss,
            train_op=v1.assign_add(v1.train.get_global_step(), 1),
            export_outputs={"serving_default": tf.estimator.export.PredictOutput({"scores": scores})})

    def receiver() -> Any:
        inputs = v1.placeholder(tf.int64, [None, 3], "inputs")
        return tf.estimator.export.ServingInputReceiver({"inputs": inputs}, {"inputs": inputs})
    estimator = tf.estimator.Estimator(model_fn, str(tmp_path / "model"))
    estimator.train(lambda: tf.data.Dataset.from_tensors(({"inputs": [[1, 2, 3]]}, [0])), steps=1)
    source = estimator.export_saved_model(str(tmp_path / "export" / "Servo"), receiver).decode()
    report = optimize_saved_model(source, verify="enforce", fallback=False)
    slim = tmp_path / "export" / "Servo-slim" / Path(source).name
    assert report is not None and report.verification is not None and report.verification.passed
    assert report.bytes_after < report.bytes_before / 2 and (slim / "saved_model.pb").is_file()
