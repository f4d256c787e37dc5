"""Operations that TensorFlow knows and cannot run: built without a kernel for them, or long dropped.

BoostedTreesBucketize, which tft.bucketize was once made of, has no kernel any more; TRTEngineOp has one
for GPUs alone. Whoever loads a servable with one gets an error at once, or first when it is asked.
"""

from __future__ import annotations

from estimator_slim.graph import Graph, operations, reachable
from estimator_slim.verify.answers import Heard
from estimator_slim.verify.request import Refusal

_NO_KERNEL = "No OpKernel was registered"


def without_kernels(graph: Graph, heard: Heard) -> list[str]:
    """The operations for want of whose kernels a servable answered nothing; [] where it answered.

    Args:
      graph: of the servable.
      heard: what was heard of it.
    """
    refusals = [heard.refused] if heard.refused else heard.answers
    if not any(isinstance(one, Refusal) and _NO_KERNEL in one.message for one in refusals):
        return []
    if not all(isinstance(one, Refusal) for one in refusals):
        return []
    nodes = [graph.nodes[name] for name in graph.ancestors(graph.interface.roots())]
    functions = reachable(nodes, graph.library).function
    used = {node.op for part in (nodes, *(f.node_def for f in functions)) for node in part}
    return sorted(op for op in used if operations.is_registered(op) and not operations.has_kernel(op))
