"""The nodes that turn codes into the values they stand for."""

from __future__ import annotations

import tensorflow as tf

from estimator_slim.graph.graph import Graph


def add_decode(graph: Graph, name: str, codes: str, scale: str, offset: str | None = None) -> str:
    """Adds nodes that compute `float32(codes) * scale [+ offset]`; returns the result's tensor.

    Args:
      graph: edited in place.
      name: prefix of the new nodes' names.
      codes: tensor of int8 or uint8 codes [n, ...].
      scale: float32 tensor that multiplies with it, [n, 1] for rows.
      offset: float32 tensor of the same shape, or None.
    """
    code_type = tf.int8 if offset is None else tf.uint8
    value = graph.add("Cast", f"{name}/cast", [codes], SrcT=code_type, DstT=tf.float32,
                      Truncate=False)
    value = graph.add("Mul", f"{name}/scaled", [value, scale], T=tf.float32)
    if offset is not None:
        value = graph.add("AddV2", f"{name}/shifted", [value, offset], T=tf.float32)
    return value
