"""Servables of feature columns over `words`, parsed or fed, and what to ask them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.by_hand import servable, v1, variable
from tests.support.models.zoo import examples

LIST = "strip_unused_nodes remove_nodes(op=Identity) fold_constants simplify_lookups"
REQUESTS = (
    {"examples": examples({"words": ["turn", "on", "the"]})},
    {"examples": examples({"words": ["turn", "on", "on", "turn"]}, {"words": []}, {},
                          {"words": ["never", "seen", "wörd"]}, {"words": [""]})},
    {"examples": examples({})},
    {"examples": examples(*[{"words": [f"word {i % 7}"] * (i % 4)} for i in range(64)])},
    {"examples": examples()},
    {"examples": np.array([b"no example"], object)},
)
column = tf.feature_column


def hashed(buckets: int = 40) -> Any:
    return column.categorical_column_with_hash_bucket("words", buckets)


def vocabulary(folder: Path, oov: int) -> Any:
    path = folder / "words.txt"
    path.write_text("turn\non\nthe\nwörd\n", encoding="utf-8")
    return column.categorical_column_with_vocabulary_file("words", str(path), num_oov_buckets=oov)


def layer(features: dict, columns: list, width: int = 5) -> Any:
    """The columns, times a kernel, as the first layer of a network."""
    values = v1.feature_column.input_layer(features, columns)
    kernel = np.random.default_rng(6).normal(size=(values.shape[1], width)).astype(np.float32)
    return tf.matmul(values, variable("kernel", kernel))


def parsed(columns: list) -> tuple[Any, dict]:
    """(the examples, the columns' features parsed from them)."""
    serialized = v1.placeholder(tf.string, [None], "examples")
    return serialized, tf.io.parse_example(serialized, column.make_parse_example_spec(columns))


def column_servable(folder: Path, columns: list, width: int = 5) -> str:
    def network() -> Any:
        serialized, features = parsed(columns)
        return {"examples": serialized}, {"value": layer(features, columns, width)}
    return servable(folder, network)


def fed_servable(folder: Path, make: Callable[[Any], Any]) -> str:
    """A signature that feeds the words parsed already, and one that feeds examples."""
    def network() -> Any:
        serialized, features = parsed([hashed()])
        words = features["words"]
        value = make(words)
        return {"serving_default": ({"examples": serialized}, {"value": value}),
                "parsed": ({"indices": words.indices, "values": words.values,
                            "shape": words.dense_shape}, {"value": value})}
    return servable(folder, network)


def sparse(indices: list, shape: list) -> dict:
    words = np.array([f"w{i % 5}".encode() for i in range(len(indices))], object)
    return {"indices": np.array(indices, np.int64).reshape(-1, 2), "values": words, "shape": shape}


FED = (sparse([[0, 0], [0, 1], [2, 0]], [4, 2]),
       sparse([[2, 0], [0, 1], [0, 0], [3, 3]], [5, 4]),      # out of order
       sparse([[3, 0], [1, 0]], [4, 1]), sparse([], [3, 0]), sparse([], [0, 0]),
       sparse([[0, 0], [7, 0]], [4, 2]),                      # a row beyond the shape
       {"examples": REQUESTS[1]["examples"]})
