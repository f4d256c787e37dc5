"""Which integers are quantities, such as times and prices, and not ids, sizes or lengths.

A size of a billion would take the memory of the machine, so what is not known to be a quantity is none.
"""

from __future__ import annotations

import tensorflow as tf

from estimator_slim.graph.graph import NodeDef
from estimator_slim.verify.questions.readers import Consumers, passed_to, readers

_ARITHMETIC = frozenset(("AddV2", "Add", "Sub", "Mul", "Neg", "Abs", "FloorDiv", "FloorMod", "Mod",
                         "ClipByValue"))
_COMPARISONS = frozenset(("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"))
_ENDS = _COMPARISONS | {"AsString", "Bucketize", "Shape", "ShapeN", "Size", "Rank", "Assert"}


def is_quantity(consumers: Consumers, tensor: str) -> bool:
    """True if all that becomes of the integers in `tensor` is floats, text and comparisons."""
    return all(_ends(node) or bool(_values(node, index))
               for node, index in readers(consumers, tensor, _values))


def _ends(node: NodeDef) -> bool:
    return node.op in _ENDS or (node.op == "Cast" and not tf.as_dtype(node.attr["DstT"].type).is_integer)


def _values(node: NodeDef, index: int) -> tuple[int, ...]:
    """The outputs that input `index` has a part in, as an integer."""
    if _ends(node):
        return ()
    return (0,) if node.op in _ARITHMETIC else tuple(passed_to(node, index))
