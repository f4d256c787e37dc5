"""Of which floats it is certain what comes of them where they are not finite.

Kernels of one operation differ there: Relu of NaN is 0 or NaN, by whether it is fused with what is
before it. So a right slim servable may answer otherwise, unless such values do not come so far.
"""

from __future__ import annotations

from collections.abc import Mapping

from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.verify.questions.cases import INFINITIES, NANS
from estimator_slim.verify.questions.readers import operations_behind

_OF_BOTH = frozenset(("IsFinite", "CheckNumerics"))
_TESTS = {"IsNan": NANS, "IsInf": INFINITIES}
_UNCERTAIN = frozenset(("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "MaxPool", "MaxPoolV2", "MaxPool3D",
                        "Maximum", "Minimum", "ClipByValue"))
_STOPS = frozenset(("Bucketize", "Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual",
                    "Shape", "ShapeN", "Size", "Rank", "IsNan", "IsInf", "IsFinite"))


def unusual(graph: Graph, readers_of: Mapping[str, list[NodeDef]],
            read: list[tuple[NodeDef, int]]) -> frozenset[str]:
    """What may be among floats that come to the nodes `read`: `nans`, `infinities`.

    Either, where a node tests for it, and both where no operation behind is uncertain.
    """
    operations = {node.op for node, _ in read}
    if operations & _OF_BOTH or not operations_behind(
            graph, readers_of, (node for node, _ in read), stop=_STOPS) & _UNCERTAIN:
        return frozenset((NANS, INFINITIES))
    return frozenset(_TESTS[op] for op in operations & set(_TESTS))
