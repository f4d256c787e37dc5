"""Which sparse tensors are checked by those who read them: others crash where a shape is below zero.

Of TensorFlow's kernels some refuse such a shape, some end the process. A question that the original
crashes on tells nothing and costs another load of it.
"""

from __future__ import annotations

from estimator_slim.verify.questions.readers import Consumers, readers

_CHECK = frozenset(("SparseReshape", "SparseToDense", "SparseTensorDenseMatMul", "SparseReduceSum",
                    "SparseReduceMax", "SparseSplit"))
_UNHARMED = frozenset(("Identity", "IdentityN", "Slice", "StridedSlice", "Gather", "GatherV2", "Cast",
                       "Shape", "Size", "Prod", "Pack", "ConcatV2", "Reshape"))


def is_checked(consumers: Consumers, dense_shape: str) -> bool:
    """True if who reads this dense shape refuses one below zero, and nobody may crash on it."""
    operations = {node.op for node, _ in readers(consumers, dense_shape)}
    return bool(operations & _CHECK) and operations <= _CHECK | _UNHARMED
