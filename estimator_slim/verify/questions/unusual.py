"""Where NaN, infinity and integers of billions may be asked: where it is certain what comes of them.

Kernels of one operation differ in what they make of floats that are not finite: Relu of NaN is 0 or NaN,
by whether it is fused with what is before it. So a right slim servable may answer otherwise, unless such
values do not come so far (`unusual`).

A time or a price may be of billions. A size or a length of a billion would take the memory of the
machine, so an integer counts as a quantity only where that is certain (`is_quantity`).
"""

from __future__ import annotations

import tensorflow as tf

from estimator_slim.graph import Consumers, Graph, NodeDef, attribute
from estimator_slim.verify.questions.cases import INFINITIES, NANS
from estimator_slim.verify.questions.consumers import operations_behind, passed_to, value_consumers

_OF_BOTH = frozenset(("IsFinite", "CheckNumerics"))
_TESTS = {"IsNan": NANS, "IsInf": INFINITIES}
_UNCERTAIN = frozenset(("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "MaxPool", "MaxPoolV2", "MaxPool3D",
                        "Maximum", "Minimum", "ClipByValue"))
_STOPS = frozenset(("Bucketize", "Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual",
                    "Shape", "ShapeN", "Size", "Rank", "IsNan", "IsInf", "IsFinite"))

_ARITHMETIC = frozenset(("AddV2", "Add", "Sub", "Mul", "Neg", "Abs", "FloorDiv", "FloorMod", "Mod",
                         "ClipByValue"))
_COMPARISONS = frozenset(("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"))
_ENDS = _COMPARISONS | {"AsString", "Bucketize", "Shape", "ShapeN", "Size", "Rank", "Assert"}


def unusual(graph: Graph, consumers: Consumers,
            read: list[tuple[NodeDef, int]]) -> frozenset[str]:
    """What may be among floats that come to the nodes `read`: `nans`, `infinities`.

    Either, where a node tests for it, and both where no operation behind is uncertain.
    """
    operations = {node.op for node, _ in read}
    if operations & _OF_BOTH or not operations_behind(
            graph, consumers, (node for node, _ in read), stop=_STOPS) & _UNCERTAIN:
        return frozenset((NANS, INFINITIES))
    return frozenset(_TESTS[op] for op in operations & set(_TESTS))


def is_quantity(consumers: Consumers, tensor: str) -> bool:
    """True if all that becomes of the integers in `tensor` is floats, text and comparisons."""
    return all(_ends(node) or bool(_values(node, index))
               for node, index in value_consumers(consumers, tensor, _values))


def _ends(node: NodeDef) -> bool:
    is_cast = node.op == "Cast"
    return node.op in _ENDS or (is_cast and not tf.as_dtype(attribute(node, "DstT").type).is_integer)


def _values(node: NodeDef, index: int) -> tuple[int, ...]:
    """The outputs that input `index` has a part in, as an integer."""
    if _ends(node):
        return ()
    return (0,) if node.op in _ARITHMETIC else tuple(passed_to(node, index))
