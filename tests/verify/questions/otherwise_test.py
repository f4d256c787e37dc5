"""What an original refuses in the usual way is asked in another, until it answers most of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from tests.support.answered import answered, asked, usual
from tests.support.by_hand import servable, v1, variable

ROWS = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)
KERNEL = ROWS[:4, :3]


def parsed(**features: Any) -> tuple[Any, dict]:
    serialized = v1.placeholder(tf.string, [None], "examples")
    return serialized, v1.io.parse_example(serialized, features)


def embedded(ids: Any) -> Any:
    return tf.gather(variable("table", ROWS), ids)


# ---- a row must have one value, or a few


def reshaped_values() -> tuple[dict, dict]:
    serialized, features = parsed(size=v1.io.VarLenFeature(tf.float32),
                                  price=v1.io.VarLenFeature(tf.float32))
    both = [tf.reshape(one.values, [tf.size(serialized), 1]) for one in features.values()]
    return {"examples": serialized}, {"value": tf.concat(both, 1)}


def three_values_beside_texts() -> tuple[dict, dict]:
    serialized, features = parsed(place=v1.io.VarLenFeature(tf.float32),
                                  words=v1.io.VarLenFeature(tf.string))
    place = tf.reshape(features["place"].values, [tf.size(serialized), 3])
    words = tf.sparse.to_dense(features["words"], default_value="")
    hashed = tf.strings.to_hash_bucket_fast(words, 50)
    return {"examples": serialized}, {"value": place, "sum": tf.reduce_sum(embedded(hashed), 1)}


def as_many_as_each_takes() -> tuple[dict, dict]:
    serialized, features = parsed(price=v1.io.VarLenFeature(tf.float32),
                                  place=v1.io.VarLenFeature(tf.float32))
    rows = tf.size(serialized)
    return {"examples": serialized}, {"value": tf.concat([
        tf.reshape(features["price"].values, [rows, 1]),
        tf.reshape(features["place"].values, [rows, 4])], 1)}


def ragged_of_one() -> tuple[dict, dict]:
    serialized, features = parsed(price=tf.io.RaggedFeature(tf.float32))
    lengths = features["price"].row_lengths()
    with tf.control_dependencies([v1.assert_equal(lengths, tf.ones_like(lengths))]):
        return {"examples": serialized}, {"value": tf.identity(features["price"].values)}


def sparse_input_of_one() -> tuple[dict, dict]:
    words = v1.sparse_placeholder(tf.string, [None, None], "words")
    one = tf.SparseTensor(words.indices, words.values, [words.dense_shape[0], 1])
    return {"words": words}, {"value": tf.squeeze(tf.sparse.to_dense(one, default_value=""), 1)}


# ---- floats that are ids


def ids_in_a_float_input() -> tuple[dict, dict]:
    ids = v1.placeholder(tf.float32, [None, 5], "ids")
    return {"ids": ids}, {"value": tf.reduce_mean(embedded(tf.cast(ids, tf.int32)), 1)}


def ids_in_double_beside_numbers() -> tuple[dict, dict]:
    ids, size = v1.placeholder(tf.float64, [None], "ids"), v1.placeholder(tf.float32, [None, 1], "size")
    return {"ids": ids, "size": size}, {"value": embedded(tf.cast(ids, tf.int64)) * size}


def ids_in_float_features() -> tuple[dict, dict]:
    serialized, features = parsed(ids=v1.io.FixedLenFeature([4], tf.float32))
    return {"examples": serialized}, {"value": embedded(tf.cast(features["ids"], tf.int32))}


def logarithms() -> tuple[dict, dict]:
    shares = v1.placeholder(tf.float32, [None, 2], "shares")
    with tf.control_dependencies([v1.assert_less_equal(shares, 1.0), v1.assert_non_negative(shares)]):
        return {"shares": shares}, {"value": tf.math.log1p(shares)}


# ---- inputs of no shape


def of_no_shape(*names: str) -> Callable:
    def matrix() -> tuple[dict, dict]:
        found = {name: v1.placeholder(tf.float32, None, name) for name in names}
        kernels = [variable(f"kernel_{name}", ROWS[:n + 4, :3]) for n, name in enumerate(names)]
        return found, {"value": tf.add_n([tf.matmul(x, k) for x, k in zip(found.values(), kernels)])}
    matrix.__name__ = "_".join(("of_no_shape", *names))
    return matrix


def images_of_no_shape() -> tuple[dict, dict]:
    images = v1.placeholder(tf.float32, None, "images")
    kernel = variable("kernel", np.ones((3, 3, 3, 2), np.float32))
    return {"images": images}, {"value": tf.reduce_mean(tf.nn.conv2d(images, kernel, 1, "SAME"), [1, 2])}


def a_row_of_no_batch() -> tuple[dict, dict]:
    row = v1.placeholder(tf.float32, None, "row")
    return {"row": row}, {"value": tf.matmul(tf.reshape(tf.ensure_shape(row, [4]), [1, 4]),
                                             variable("kernel", KERNEL))}


def of_any_width() -> tuple[dict, dict]:
    x = v1.placeholder(tf.float32, [None, None], "x")
    return {"x": x}, {"value": tf.matmul(x, variable("kernel", KERNEL))}


# ---- SequenceExamples


def sequences() -> tuple[dict, dict]:
    serialized = v1.placeholder(tf.string, [None], "serialized")
    context, lists, lengths = tf.io.parse_sequence_example(
        serialized, {"user": tf.io.FixedLenFeature([], tf.int64)},
        {"frames": tf.io.FixedLenSequenceFeature([4], tf.float32),
         "words": tf.io.VarLenFeature(tf.string), "ids": tf.io.RaggedFeature(tf.int64)})
    hashed = tf.strings.to_hash_bucket_fast(lists["words"].values, 50)
    return {"serialized": serialized}, {
        "value": tf.tensordot(lists["frames"], variable("kernel", KERNEL), 1),
        "length": lengths["frames"], "user": embedded(context["user"]), "hashed": hashed,
        "ids": tf.reduce_sum(lists["ids"], [1, 2])}


def single_sequences() -> tuple[dict, dict]:
    serialized = v1.placeholder(tf.string, [], "serialized")
    context, lists = tf.io.parse_single_sequence_example(
        serialized, {"user": tf.io.FixedLenFeature([], tf.int64)},
        {"frames": tf.io.FixedLenSequenceFeature([4], tf.float32)})
    return {"serialized": serialized}, {"value": tf.matmul(lists["frames"], variable("kernel", KERNEL)),
                                        "user": context["user"]}


def sequences_one_by_one() -> tuple[dict, dict]:
    serialized = v1.placeholder(tf.string, [None], "serialized")

    def last(one: Any) -> Any:
        _, lists = tf.io.parse_single_sequence_example(
            one, None, {"frames": tf.io.FixedLenSequenceFeature([4], tf.float32)})
        return lists["frames"][-1]
    frames = tf.map_fn(last, serialized, fn_output_signature=tf.float32)
    return {"serialized": serialized}, {"value": tf.matmul(frames, variable("kernel", KERNEL))}


# ---- Examples that are parsed one by one


def one(serialized: Any) -> Any:
    features = tf.io.parse_single_example(serialized, {"x": tf.io.FixedLenFeature([4], tf.float32)})
    return features["x"]


def in_map_fn() -> tuple[dict, dict]:
    serialized = v1.placeholder(tf.string, [None], "examples")
    rows = tf.map_fn(one, serialized, fn_output_signature=tf.float32)
    return {"examples": serialized}, {"value": tf.matmul(rows, variable("kernel", KERNEL))}


def in_a_dataset() -> tuple[dict, dict]:
    serialized = v1.placeholder(tf.string, [None], "examples")
    data = tf.data.Dataset.from_tensor_slices(serialized).map(one).batch(100)
    rows = data.reduce(tf.zeros([0, 4]), lambda all_rows, rows: tf.concat([all_rows, rows], 0))
    return {"examples": serialized}, {"value": tf.matmul(rows, variable("kernel", KERNEL))}


def in_an_old_loop() -> tuple[dict, dict]:
    v1.disable_control_flow_v2()
    try:
        return in_map_fn()
    finally:
        v1.enable_control_flow_v2()


def the_first_alone() -> tuple[dict, dict]:
    serialized = v1.placeholder(tf.string, [None], "examples")
    with tf.control_dependencies([v1.assert_equal(tf.size(serialized), 1)]):
        return {"examples": serialized}, {"value": one(serialized[0])}


# ---- the parts of sparse tensors


def wide_sparse_part() -> tuple[dict, dict]:
    x = v1.sparse_placeholder(tf.float32, [None, 50], "x")
    product = tf.sparse.sparse_dense_matmul(x, variable("table", ROWS))
    return {"x": x.indices, "x_1": x.values, "x_2": x.dense_shape}, {"value": product}


def two_numbered_sparse_tensors() -> tuple[dict, dict]:
    ids, texts = (v1.sparse_placeholder(dtype, [None, None]) for dtype in (tf.int64, tf.string))
    rows = tf.nn.embedding_lookup_sparse(variable("table", ROWS), ids, None)
    parts = [ids.indices, ids.values, ids.dense_shape, texts.indices, texts.values, texts.dense_shape]
    keys = ["args_0", *(f"args_0_{n}" for n in range(1, 6))]
    return dict(zip(keys, parts)), {"value": rows, "texts": tf.sparse.to_dense(texts, "")}


# ---- what is wrapped


def images(decode: Callable) -> Callable:
    def network() -> tuple[dict, dict]:
        data = v1.placeholder(tf.string, [None], "data")
        decoded = tf.map_fn(lambda text: tf.image.resize(decode(text), [4, 4]), data,
                            fn_output_signature=tf.float32)
        return {"data": data}, {"value": tf.reduce_mean(decoded, [1, 2, 3])}
    network.__name__ = decode.__name__
    return network


def base64_jpeg(text: Any) -> Any:
    return tf.io.decode_jpeg(tf.io.decode_base64(text), channels=3)


def base64_png(text: Any) -> Any:
    return tf.io.decode_png(tf.io.decode_base64(text), channels=3)


def bmp(text: Any) -> Any:
    return tf.io.decode_bmp(text, channels=3)


def gif(text: Any) -> Any:
    return tf.io.decode_gif(text)[0]


def sounds() -> tuple[dict, dict]:
    data = v1.placeholder(tf.string, [None], "data")
    decoded = tf.map_fn(lambda text: tf.audio.decode_wav(tf.io.decode_base64(text), 1, 400).audio[:, 0],
                        data, fn_output_signature=tf.float32)
    return {"data": data}, {"value": tf.reduce_mean(tf.abs(decoded), 1)}


def raw_pixels() -> tuple[dict, dict]:
    serialized, features = parsed(image=v1.io.FixedLenFeature([], tf.string))
    pixels = tf.reshape(tf.io.decode_raw(features["image"], tf.uint8), [-1, 6, 6, 1])
    kernel = variable("kernel", np.ones((3, 3, 1, 2), np.float32))
    value = tf.nn.conv2d(tf.cast(pixels, tf.float32), kernel, 1, "SAME")
    return {"examples": serialized}, {"value": value}


def raw_numbers() -> tuple[dict, dict]:
    data = v1.placeholder(tf.string, [None], "data")
    rows = tf.io.decode_raw(tf.io.decode_base64(data), tf.float32)
    return {"data": data}, {"value": tf.matmul(rows, variable("kernel", KERNEL))}


def wrapped_examples(unpack: Callable) -> Callable:
    def network() -> tuple[dict, dict]:
        texts = v1.placeholder(tf.string, [None], "texts")
        features = v1.io.parse_example(unpack(texts), {"x": tf.io.FixedLenFeature([4], tf.float32)})
        return {"texts": texts}, {"value": features["x"]}
    network.__name__ = unpack.__name__
    return network


def base64_examples(texts: Any) -> Any:
    return tf.io.decode_base64(texts)


def packed_examples(texts: Any) -> Any:
    return tf.io.decode_compressed(texts, "ZLIB")


def examples_in_json(texts: Any) -> Any:
    return tf.io.decode_json_example(texts)


KINDS: dict[str, list[Callable]] = {
    "values": [reshaped_values, as_many_as_each_takes, three_values_beside_texts, ragged_of_one,
               sparse_input_of_one],
    "floats": [ids_in_a_float_input, ids_in_double_beside_numbers, ids_in_float_features, logarithms],
    "shapes": [of_no_shape("x"), of_no_shape("x", "y"), images_of_no_shape, a_row_of_no_batch,
               of_any_width],
    "sequences": [sequences, single_sequences, sequences_one_by_one],
    "one by one": [in_map_fn, in_a_dataset, in_an_old_loop, the_first_alone],
    "parts": [wide_sparse_part, two_numbered_sparse_tensors],
    "wrapped": [*map(images, (base64_jpeg, base64_png, bmp, gif)), sounds, raw_pixels, raw_numbers,
                *map(wrapped_examples, (base64_examples, packed_examples, examples_in_json))]}


def together(kind: str) -> dict[str, tuple[dict, dict]]:
    """All networks of a kind, each a signature of one servable."""
    made = {}
    for network in KINDS[kind]:
        with v1.variable_scope(network.__name__):
            made[network.__name__] = network()
    return made


@pytest.mark.parametrize("kind, name", [(kind, one.__name__) for kind, those in KINDS.items()
                                        for one in those])
def test_most_of_what_is_asked_is_answered(kind: str, name: str, once: Callable) -> None:
    found = once(f"otherwise/{kind}", lambda folder: usual(*asked(
        servable(folder, lambda: together(kind)))))
    known, of = found[name]
    assert known == of > 0


@pytest.mark.parametrize("network", [of_any_width, in_map_fn])
def test_a_signature_that_says_nothing_of_shapes_is_asked_by_its_placeholders(
        network: Callable, tmp_path: Path) -> None:
    directory = servable(tmp_path, network)
    stored = loader_impl.parse_saved_model(directory)
    for info in stored.meta_graphs[0].signature_def["serving_default"].inputs.values():
        info.ClearField("tensor_shape")
    Path(directory, "saved_model.pb").write_bytes(stored.SerializeToString())
    assert answered(directory) == 1.0


def test_features_that_need_no_one_value_keep_any_number(tmp_path: Path) -> None:
    requests, _ = asked(servable(tmp_path, three_values_beside_texts))
    typical = next(r.inputs["examples"] for r in requests if r.origin == "a typical batch")
    features = [tf.train.Example.FromString(one).features.feature for one in typical]
    assert {len(one["place"].float_list.value) for one in features} == {3}
    assert len({len(one["words"].bytes_list.value) for one in features}) > 1
