"""What tf.contrib offered: layers, learn, heads, recurrent Estimators, quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.contrib import estimator as contrib_estimator
from tensorflow.contrib import feature_column as sequences
from tensorflow.contrib import layers, learn

from tests.old_servables.fixture import (
    INTENTS,
    WORDS,
    batch,
    config,
    examples,
    export_parsing,
    fixture,
    raw_receiver,
    simple_save,
    texts,
)
from tests.old_servables.lookups import custom

_SENTENCES = np.array([["turn", "on", "the", "light"], ["play", "some", "jazz", "in"],
                       ["what", "the", "", "kitchen"]])
_AGES = np.array([[18.0], [31.0], [64.0]], np.float32)
_LABELS = np.array([0, 1, 2])
_ASKED = (examples({"words": ["turn", "on"], "age": [25.0]}, {"words": ["jazz"], "age": [60.0]}),
          examples({"words": ["unheard"], "age": [44.0]}), examples({"words": ["on"]}), examples())


@fixture({"ids": np.array([[1, 2, 3], [63, 7, 7]])}, {"ids": np.zeros((0, 3), np.int64)},
         {"ids": np.array([[1, 2, 64]])})
def layers_for_text(directory: str) -> Any:
    """embed_sequence, bow_encoder, fully_connected with batch_norm, layer_norm."""
    normal = {"is_training": False, "scale": True, "decay": 0.9, "param_initializers": {
        "moving_mean": tf.random_normal_initializer(seed=1),
        "moving_variance": tf.random_uniform_initializer(0.5, 2.0, seed=2)}}

    def network(features: dict) -> tuple:
        ids = features["ids"]
        embedded = layers.embed_sequence(ids, 64, 4, scope="words")
        bag = layers.bow_encoder(ids, 64, 3, sparse_lookup=False)
        hidden = layers.fully_connected(tf.concat([tf.reduce_max(embedded, 1), bag], 1), 6,
                                        normalizer_fn=layers.batch_norm, normalizer_params=normal)
        hidden = layers.layer_norm(layers.stack(hidden, layers.fully_connected, [5, 4]))
        return layers.linear(layers.dropout(hidden, is_training=False), 3), {}
    return custom(directory, network, {"ids": np.array([[1, 2, 3], [4, 5, 63], [0, 0, 7]])},
                  raw_receiver(ids=(tf.int64, [None, 3])))


def _png(seed: int) -> bytes:
    with tf.Graph().as_default(), tf.Session() as session:
        pixels = np.random.RandomState(seed).randint(0, 255, (6, 5, 3)).astype(np.uint8)
        return session.run(tf.image.encode_png(pixels))


_IMAGES = np.array([_png(seed) for seed in range(3)], object)


@fixture(_IMAGES[:2], _IMAGES[2:], texts("no image"))
def layers_for_images(directory: str) -> Any:
    """Images decoded in a loop, convolutions with fused and unfused moving averages."""
    def normal(fused: bool) -> dict:
        return {"normalizer_fn": layers.batch_norm, "normalizer_params": {
            "is_training": False, "fused": fused, "param_initializers": {
                "moving_mean": tf.random_normal_initializer(seed=1),
                "moving_variance": tf.random_uniform_initializer(0.5, 2.0, seed=2)}}}

    def network(features: dict) -> tuple:
        hidden = layers.conv2d(features["image"], 4, 3, **normal(True))
        hidden = layers.separable_conv2d(hidden, 5, 3, 1, **normal(False))
        hidden = layers.max_pool2d(tf.nn.relu6(hidden), 2)
        hidden = tf.nn.lrn(layers.conv2d(hidden, 4, 1, rate=2, activation_fn=tf.nn.elu))
        return layers.fully_connected(layers.flatten(hidden), 3, activation_fn=None), {}

    def receiver() -> Any:
        encoded = tf.placeholder(tf.string, [None], "image")
        images = tf.map_fn(lambda one: _pixels(one), encoded, tf.float32, back_prop=False)
        return tf.estimator.export.ServingInputReceiver({"image": images}, {"image": encoded})
    images = np.random.RandomState(5).uniform(0, 1, (3, 8, 8, 3)).astype(np.float32)
    return custom(directory, network, {"image": images}, receiver)


def _pixels(encoded: Any) -> Any:
    image = tf.image.convert_image_dtype(tf.image.decode_png(encoded, 3), tf.float32)
    return tf.squeeze(tf.image.resize_bilinear(tf.expand_dims(image, 0), [8, 8]), 0)


@fixture(*_ASKED)
def learn_dnn_linear(directory: str) -> Any:
    """tf.contrib.learn: Estimators and feature columns before tf.estimator."""
    words = layers.sparse_column_with_hash_bucket("words", 64)
    age = layers.real_valued_column("age")
    columns = [words, age]
    estimator = learn.DNNLinearCombinedClassifier(
        config=learn.RunConfig(tf_random_seed=7, model_dir=f"{directory}/model"), n_classes=3,
        linear_feature_columns=[words, layers.bucketized_column(age, [20.0, 50.0])],
        dnn_feature_columns=[layers.embedding_column(words, 4), age], dnn_hidden_units=[5],
        embedding_lr_multipliers=None)

    def inputs() -> tuple:
        rows, places = np.nonzero(_SENTENCES != "")
        sparse = tf.SparseTensor(np.stack([rows, places], 1), _SENTENCES[rows, places], [3, 4])
        return {"words": sparse, "age": tf.constant(_AGES)}, tf.constant(_LABELS)
    estimator.fit(input_fn=inputs, steps=3)
    spec = layers.create_feature_spec_for_parsing(columns)
    receiver = learn.utils.input_fn_utils.build_parsing_serving_input_fn(spec)
    return estimator.export_savedmodel(f"{directory}/export", receiver)


@fixture(*_ASKED)
def heads_of_contrib(directory: str) -> Any:
    """One network, three heads: a class, several labels, a number."""
    heads = [contrib_estimator.multi_class_head(3, label_vocabulary=INTENTS, name="intent"),
             contrib_estimator.multi_label_head(4, name="rooms"),
             contrib_estimator.regression_head(name="volume")]
    column = tf.feature_column.embedding_column(
        tf.feature_column.categorical_column_with_hash_bucket("words", 64), 4)
    estimator = tf.estimator.DNNEstimator(
        contrib_estimator.multi_head(heads), [5], [column], config=config(directory))
    labels = {"intent": np.array(INTENTS), "volume": _AGES,
              "rooms": np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]])}
    return export_parsing(directory, estimator, batch({"words": _SENTENCES}, labels), [column])


@fixture(*_ASKED)
def recurrent_classifier(directory: str) -> Any:
    column = tf.feature_column.embedding_column(
        sequences.sequence_categorical_column_with_vocabulary_list("words", WORDS,
                                                                   num_oov_buckets=3), 4)
    estimator = contrib_estimator.RNNClassifier([column], num_units=[4], cell_type="gru", n_classes=3,
                                                config=config(directory))

    def inputs() -> Any:
        rows, places = np.nonzero(_SENTENCES != "")
        sparse = tf.SparseTensor(np.stack([rows, places], 1), _SENTENCES[rows, places], [3, 4])
        return tf.data.Dataset.from_tensors(({"words": sparse}, _LABELS)).repeat()
    return export_parsing(directory, estimator, inputs, [column])


@fixture({"x": np.array([[0.5, -1.0, 2.0]], np.float32)}, {"x": np.zeros((0, 3), np.float32)})
def quantization_aware(directory: str) -> Any:
    """Fake quantization of weights and activations, as tf.contrib.quantize put it in."""
    x = tf.placeholder(tf.float32, [None, 3], "x")
    hidden = layers.fully_connected(x, 8, activation_fn=tf.nn.relu6)
    scores = layers.fully_connected(hidden, 4, activation_fn=None)
    tf.contrib.quantize.create_eval_graph(tf.get_default_graph())
    return simple_save(directory, {"x": x}, {"scores": tf.identity(scores)})


