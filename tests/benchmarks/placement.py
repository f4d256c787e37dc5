"""A kernel as a constant against the same kernel as a variable, by its size.

This is what the threshold of `--slim_weights=auto` rests on: up to it weights are constants.
"""

from __future__ import annotations

import argparse
import os
import shutil

import numpy as np
import tensorflow as tf
from markdown_table import show
from serving import RATIOS, measured

from estimator_slim import optimize_saved_model

tf1 = tf.compat.v1
WIDTHS = (64, 128, 256, 512, 1024, 2048)
LAYERS = 4  # several kernels of a size, so that what they cost stands out of the noise
LOSSLESS = "strip_unused_nodes fold_constants merge_duplicate_nodes"


def run(options: argparse.Namespace) -> None:
    rows = []
    for width in WIDTHS:
        folder = os.path.join(options.work, "placement", str(width))
        shutil.rmtree(folder, ignore_errors=True)
        source, examples = _servable(os.path.join(folder, "original"), width)
        places = {place: os.path.join(folder, place) for place in ("variables", "constants")}
        for place, directory in places.items():
            optimize_saved_model(source, directory, LOSSLESS, weights=place, verify="off")
        variables, constants = measured(options, examples, places).values()
        rows.append([f"{width * width * 4 >> 10} KiB",
                     *(constants[key] / variables[key] for key in RATIOS)])
        shutil.rmtree(folder)
    show(f"{LAYERS} kernels of a size: as constants, as a ratio to as variables",
         ["size of one", *RATIOS.values()], rows)


def _servable(folder: str, width: int) -> tuple[str, str]:
    """A servable of LAYERS dense layers [width, width], and a file of Examples to ask it."""
    examples = os.path.join(folder, "examples.tfrecord")
    os.makedirs(folder)
    with tf.Graph().as_default(), tf1.Session() as session:
        serialized = tf1.placeholder(tf.string, [None], "input_example_tensor")
        spec = {"x": tf.io.FixedLenFeature([width], tf.float32)}
        x = tf.io.parse_example(serialized, spec)["x"]
        for number in range(LAYERS):
            x = tf.nn.relu(x @ tf1.get_variable(f"kernel_{number}", [width, width], use_resource=True))
        session.run(tf1.global_variables_initializer())
        signature = tf1.saved_model.predict_signature_def(
            {"examples": serialized}, {"probabilities": tf.nn.softmax(x)})
        builder = tf1.saved_model.Builder(os.path.join(folder, "1"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"predict": signature})
        builder.save()
    _write_examples(examples, width)
    return os.path.join(folder, "1"), examples


def _write_examples(path: str, width: int) -> None:
    rng = np.random.default_rng(0)
    with tf.io.TFRecordWriter(path) as writer:
        for _ in range(256):
            example = tf.train.Example()
            example.features.feature["x"].float_list.value.extend(rng.standard_normal(width))
            writer.write(example.SerializeToString())
