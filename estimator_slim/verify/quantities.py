"""Which integers are quantities, such as times and prices, and not ids, sizes or lengths.

A size of a billion would take the memory of the machine, so what is not known to be a quantity is none.
"""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

from estimator_slim.graph import names
from estimator_slim.graph.graph import NodeDef
from estimator_slim.verify.readers import Consumers, passed_to

_ARITHMETIC = frozenset(("AddV2", "Add", "Sub", "Mul", "Neg", "Abs", "FloorDiv", "FloorMod", "Mod",
                         "ClipByValue"))
_COMPARISONS = frozenset(("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"))
_ENDS = _COMPARISONS | {"AsString", "Bucketize", "Shape", "ShapeN", "Size", "Rank", "Assert"}


def is_quantity(consumers: Consumers, tensor: str) -> bool:
    """True if all that becomes of the integers in `tensor` is floats, text and comparisons."""
    seen, todo = set(), [names.canonical(tensor)]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for node, index in consumers.get(name, ()):
            if not _ends(node):
                passed = list(_values(node, index))
                if not passed:
                    return False
                todo += [names.tensor(node.name, port) for port in passed]
    return True


def _ends(node: NodeDef) -> bool:
    return node.op in _ENDS or (node.op == "Cast" and not tf.as_dtype(node.attr["DstT"].type).is_integer)


def _values(node: NodeDef, index: int) -> Iterable[int]:
    """The outputs that input `index` has a part in."""
    return (0,) if node.op in _ARITHMETIC else passed_to(node, index)
