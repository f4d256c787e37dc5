"""Freezes a servable and runs the Graph Transform Tool over it, both of TensorFlow 1.15.

    tf115/bin/python tests/old_servables/original_tool.py < job.json

The job: `source` (directory of a SavedModel), `work` (directory to write to) and `runs` (name →
transform texts, one after the other; `{log}` stands for a log of the ranges that the graph has by then).
Written are `frozen.pb`, `interface.json` and for each run NAME.pb, or NAME.error where the tool refused.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf  # noqa: E402
from tensorflow.tools.graph_transforms import TransformGraph  # noqa: E402


def freeze(directory: str) -> tuple:
    """(GraphDef with constants for variables, nodes fed, nodes fetched) of its default signature."""
    with tf.Graph().as_default(), tf.Session() as session:
        loaded = tf.saved_model.load(session, ["serve"], directory)
        signatures = dict(loaded.signature_def)
        signature = signatures.get("serving_default", signatures[min(signatures)])
        inputs, outputs = (sorted({info.name.split(":")[0] for info in tensors.values()})
                           for tensors in (signature.inputs, signature.outputs))
        frozen = tf.graph_util.convert_variables_to_constants(
            session, session.graph.as_graph_def(), outputs)
    return frozen, [name for name in inputs if any(n.name == name for n in frozen.node)], outputs


def transform(graph: Any, inputs: list, outputs: list, texts: list, log: str) -> Any:
    """The GraphDef after the transforms that `texts` name, each in a call of its own."""
    for text in texts:
        if "{log}" in text:
            write_ranges(graph, log)
        graph = TransformGraph(graph, inputs, outputs, [text.format(log=log)])
    return graph


def write_ranges(graph: Any, path: str) -> None:
    """A log by which every range is from -16 to 16."""
    with open(path, "w", encoding="utf-8") as log:
        log.writelines(f";{node.name}__print__;__requant_min_max:[-16][16]\n"
                       for node in graph.node if node.op == "RequantizationRange")


def main() -> None:
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    job = json.load(sys.stdin)
    work = job["work"]
    frozen, inputs, outputs = freeze(job["source"])
    with open(os.path.join(work, "frozen.pb"), "wb") as file:
        file.write(frozen.SerializeToString())
    with open(os.path.join(work, "interface.json"), "w", encoding="utf-8") as file:
        json.dump({"inputs": inputs, "outputs": outputs}, file)
    for name, texts in job["runs"].items():
        path = os.path.join(work, name)
        try:
            result = transform(frozen, inputs, outputs, texts, f"{path}.log")
        except Exception as error:
            with open(f"{path}.error", "w", encoding="utf-8") as file:
                file.write(str(error))
        else:
            with open(f"{path}.pb", "wb") as file:
                file.write(result.SerializeToString())


if __name__ == "__main__":
    main()
