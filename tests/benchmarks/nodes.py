"""How many nodes run for one `predict` request. Unlike time, this is exact.

Counted in RunMetadata's step stats, with all outputs fetched. Goal: ≤ 55 where the original has 116.
"""

from __future__ import annotations

import argparse
import os

import tensorflow as tf
from markdown_table import show
from slims import original, slims

tf1 = tf.compat.v1


def run(options: argparse.Namespace) -> None:
    records = tf.data.TFRecordDataset(os.path.join(options.servable, "test.tfrecord"))
    record = next(iter(records)).numpy()
    servables = {"original": original(options.servable), **slims(options)}
    show("Nodes executed for one predict request (goal: 55)", ["servable", "nodes"],
         [(name, executed(directory, record)) for name, directory in servables.items()])


def executed(directory: str, record: bytes, signature: str = "predict") -> int:
    """Nodes that run for a request of one serialized Example, once everything is warm."""
    with tf.Graph().as_default(), tf1.Session() as session:
        meta_graph = tf1.saved_model.load(session, ["serve"], directory)
        interface = meta_graph.signature_def[signature]
        [fed] = interface.inputs.values()
        fetches = {key: info.name for key, info in interface.outputs.items()}
        trace = tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE)
        for _ in range(3):
            metadata = tf1.RunMetadata()
            session.run(fetches, {fed.name: [record]}, options=trace, run_metadata=metadata)
    return sum(len(device.node_stats) for device in metadata.step_stats.dev_stats)
