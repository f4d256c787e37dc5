"""What a variable starts from: random numbers, one constant, or something that somebody put there.

    table/Assign ← Add ← Mul ← RandomUniform, 0.1       random numbers: they hold nothing
    slot/Assign  ← Const, 0.1 in all places             one constant
    table/Assign ← RestoreV2, Placeholder, PyFunc, ...  what somebody put there: it stays

The expression is computed for a sample of places, by numpy, whatever the variable's shape: a constant
stays one number, random numbers become a sample of what they could have been.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from estimator_slim.graph import Graph, NodeDef, attribute, attributes, names
from estimator_slim.training.unknown import Unknown

SAMPLE = 1 << 16
_DEEPEST = 100
_BLOCK = 1 << 20


def _uniform(rng: np.random.Generator) -> np.ndarray:
    return rng.random(SAMPLE)


def _normal(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(SAMPLE)


def _truncated(rng: np.random.Generator) -> np.ndarray:
    """Normal numbers; those two deviations or more away are drawn again."""
    drawn = rng.standard_normal(SAMPLE + SAMPLE // 4)
    return drawn[np.abs(drawn) < 2][:SAMPLE]


_RANDOM: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    **dict.fromkeys(("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"), _uniform),
    **dict.fromkeys(("RandomStandardNormal", "StatelessRandomNormal", "StatelessRandomNormalV2",
                     "StatefulStandardNormalV2"), _normal),
    **dict.fromkeys(("TruncatedNormal", "StatelessTruncatedNormal", "StatelessTruncatedNormalV2",
                     "StatefulTruncatedNormal"), _truncated)}
# Operation → the input whose values, or some of them, it gives on.
_PASSED_ON = {**dict.fromkeys(("Identity", "Reshape", "Slice", "StridedSlice", "BroadcastTo",
                              "EnsureShape"), 0),
              "Fill": 1}
_COMPUTED: dict[str, Callable[..., np.ndarray]] = {
    "Add": np.add, "AddV2": np.add, "Sub": np.subtract, "Mul": np.multiply, "RealDiv": np.divide,
    "Neg": np.negative, "Sqrt": np.sqrt, "Square": np.square, "Maximum": np.maximum,
    "Minimum": np.minimum, "ZerosLike": lambda x: np.zeros((), x.dtype),
    "OnesLike": lambda x: np.ones((), x.dtype)}


def start_of(graph: Graph, tensor: str) -> np.ndarray:
    """The start value that `tensor` is: of shape () for one constant, [SAMPLE] for random numbers.

    Raises:
      Unknown: it comes from anything else.
    """
    known: dict[str, np.ndarray] = {}

    def value(tensor: str, depth: int) -> np.ndarray:
        tensor = names.canonical(tensor)
        if depth > _DEEPEST:
            raise Unknown(f"it is set from an expression more than {_DEEPEST} operations deep")
        if tensor not in known:
            known[tensor] = computed(graph.nodes[names.node_of(tensor)], depth + 1)
        return known[tensor]

    def computed(node: NodeDef, depth: int) -> np.ndarray:
        inputs = names.data_inputs(node)
        if node.op == "Const":
            return _constant(node)
        if node.op in _RANDOM:
            drawn = _RANDOM[node.op](np.random.default_rng(len(known)))
            return drawn.astype(attributes.dtype(node, "dtype").as_numpy_dtype)
        if node.op in _PASSED_ON:
            return value(inputs[_PASSED_ON[node.op]], depth)
        if node.op == "Cast":
            return value(inputs[0], depth).astype(attributes.dtype(node, "DstT").as_numpy_dtype)
        if node.op in _COMPUTED:
            with np.errstate(all="ignore"):
                return np.asarray(_COMPUTED[node.op](*(value(i, depth) for i in inputs)))
        raise Unknown(_named(node))

    return value(tensor, 0)


def _named(node: NodeDef) -> str:
    if node.op in ("RestoreV2", "Restore", "RestoreSlice", "LoadAndRemapMatrix"):
        return (f"it starts from a checkpoint ({node.name!r} restores it, as warm_start_from, "
                "init_from_checkpoint and model_to_estimator do), so untrained rows may hold what was "
                "learned before; if they do not, name it in drop_untrained_rows(random=...)")
    what = {"Placeholder": "a value that is fed", "PyFunc": "a Python function",
            "EagerPyFunc": "a Python function"}.get(node.op, f"an operation {node.op}")
    return (f"it is set from {what} ({node.name!r}), not from random numbers or a constant alone, so "
            "untrained rows may hold something")


def _constant(node: NodeDef) -> np.ndarray:
    """The one value of a Const, without spreading it out to its shape.

    Raises:
      Unknown: its values differ, as those of word vectors do.
    """
    proto = attribute(node, "value").tensor
    listed = _values(proto, node.name)
    first = listed[:1]
    for at in range(0, len(listed), _BLOCK):
        if (listed[at:at + _BLOCK] != first).any():
            raise Unknown(f"it is set from an array in the graph ({node.name!r}), so untrained rows may "
                          "hold something, as word vectors do")
    return first.reshape(())


def _values(proto: tensor_pb2.TensorProto, name: str) -> np.ndarray:
    """The values as they are listed, [n]: the last of them may stand for all that follow."""
    dtype = tf.dtypes.as_dtype(proto.dtype)
    if not (dtype.is_floating or dtype.is_integer):
        raise Unknown(f"it is set from a constant of type {dtype.name} ({name!r})")
    if proto.tensor_content:
        if len(proto.tensor_content) % dtype.size:
            raise Unknown(f"the constant {name!r} in the graph is damaged")
        return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype)
    short = tensor_pb2.TensorProto()
    short.CopyFrom(proto)
    del short.tensor_shape.dim[:]
    count = sum(len(value) for field, value in proto.ListFields() if field.name.endswith("_val"))
    short.tensor_shape.dim.add(size=max(count, 1))
    try:
        return tf.make_ndarray(short)
    except (TypeError, ValueError) as e:
        raise Unknown(f"the constant {name!r} in the graph is damaged ({e})") from e
