"""Inputs that are the parts of one sparse or ragged tensor, which have to fit each other.

TensorFlow 2 feeds a SparseTensor `k` as `k` (indices), `k_1` (values) and `k_2` (dense shape), and a
RaggedTensor `k` as `k` (values), `k_1`, ... (row splits, those of the outermost rows first).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from estimator_slim.graph import Consumers, names
from estimator_slim.verify.questions.consumers import value_consumers
from estimator_slim.verify.questions.served_inputs import ServedInput

# Of operations: which inputs are indices and dense shape of one sparse tensor.
_SPARSE = {"SparseReshape": (0, 1), "SparseToDense": (0, 1), "SparseFillEmptyRows": (0, 2),
           "SparseReorder": (0, 2), "SparseTensorDenseMatMul": (0, 2), "SparseReduceSum": (0, 2),
           "SparseReduceMax": (0, 2), "SparseSlice": (0, 2), "SparseDenseCwiseMul": (0, 2),
           "SparseDenseCwiseAdd": (0, 2), "SparseSoftmax": (0, 2), "SerializeSparse": (0, 2)}
_SPLIT = {"RaggedTensorToTensor": 3, "RaggedTensorToSparse": 0, "RaggedGather": 0,
          "RaggedTensorToVariant": 0}  # the first input of row splits
_SUFFIX = re.compile(r"(.*?)[_./:-]*(indices|values|flat_values|dense_shape|shape|row_splits)\Z")
_NUMBERED = re.compile(r"(.*)[_.](\d+)\Z")


@dataclass(frozen=True)
class Composite:
    """The parts of a tensor.

    Attributes:
      indices: of a sparse one; None for a ragged one.
      values: of either.
      rest: the dense shape; or the row splits, those of the outermost rows first.
      columns: of a sparse one; None for as many as its longest row has values.
      count: how many values each row has; None for any number.
    """

    indices: ServedInput | None
    values: ServedInput
    rest: tuple[ServedInput, ...]
    columns: int | None = None
    count: int | None = None

    def parts(self) -> list[ServedInput]:
        """All of them."""
        return [*([self.indices] if self.indices else []), self.values, *self.rest]


def composites(inputs: Sequence[ServedInput], consumers: Consumers) -> list[Composite]:
    """The sparse and ragged tensors of which a signature takes the parts."""
    found, free = [], {one.key: one for one in inputs if one.shape and not one.is_sparse}
    for search in (_sparse, _ragged):
        for key in list(free):
            one = search(free[key], free, consumers) if key in free else None
            if one is not None:
                found.append(one)
                for part in one.parts():
                    del free[part.key]
    return found


def _sparse(indices: ServedInput, free: Mapping[str, ServedInput],
            consumers: Consumers) -> Composite | None:
    """The sparse tensor of these indices, told by names, or by who reads its indices and shape."""
    if indices.dtype != tf.int64 or len(indices.shape) != 2 or indices.shape[0] is not None:
        return None
    shapes = [one for one in free.values() if one.dtype == tf.int64 and len(one.shape) == 1
              and one is not indices and _may_be_rank(one.shape[0], indices.shape[1])]
    values = [one for one in free.values() if one.shape == (None,)]
    for shape in shapes:
        beside = [one for one in values if one is not shape]
        named = [one for one in beside if _are_named(indices, one, shape)]
        if not named and len(beside) == 1 and _are_read_together(consumers, indices, shape):
            named = beside
        if named:
            return Composite(indices, named[0], (shape,))
    return None


def _may_be_rank(size: int | None, columns: int | None) -> bool:
    return size == columns or size is None or columns is None


def _are_named(indices: ServedInput, values: ServedInput, shape: ServedInput) -> bool:
    """True for `k`, `k_1`, `k_2` and for `k_indices`, `k_values`, `k_dense_shape`."""
    stem, _ = _suffix(indices.key)
    return ([values.key, shape.key] == [f"{indices.key}_{number}" for number in (1, 2)]
            or ([_suffix(one.key)[1] for one in (indices, values)] == ["indices", "values"]
                and _suffix(shape.key)[1] in ("dense_shape", "shape")
                and {_suffix(one.key)[0] for one in (values, shape)} == {stem}))


def _are_read_together(consumers: Consumers, indices: ServedInput, shape: ServedInput) -> bool:
    of_shape = {(node.name, index) for node, index in value_consumers(consumers, shape.tensor)}
    return any(node.op in _SPARSE and _SPARSE[node.op][0] == index
               and (node.name, _SPARSE[node.op][1]) in of_shape
               for node, index in value_consumers(consumers, indices.tensor))


def _ragged(values: ServedInput, free: Mapping[str, ServedInput],
            consumers: Consumers) -> Composite | None:
    """The ragged tensor of these values: with row splits beside that are named so, or read so."""
    if values.shape[0] is not None:
        return None
    stem, kind = _suffix(values.key)
    if kind in ("values", "flat_values"):
        named = [one for one in free.values() if _suffix(one.key) == (stem, "row_splits")]
        return Composite(None, values, tuple(named)) if named else None
    splits = list(_numbered(values.key, free))
    if splits and (values.key.endswith(".0") or all(_are_splits(consumers, one) for one in splits)):
        return Composite(None, values, tuple(splits))
    return None


def _suffix(key: str) -> tuple[str, str]:
    """(k, values) for `k_values`; (k, "") for `k`."""
    found = _SUFFIX.match(key)
    return (found[1], found[2]) if found else (key, "")


def _numbered(key: str, free: Mapping[str, ServedInput]) -> Iterator[ServedInput]:
    """`k_1`, `k_2`, ... behind `k`; `k.1`, ... behind `k.0`."""
    found = _NUMBERED.match(key) if key.endswith(".0") else None
    stem, number = (found[1] + ".", 1) if found else (key + "_", 1)
    while f"{stem}{number}" in free:
        yield free[f"{stem}{number}"]
        number += 1


def _are_splits(consumers: Consumers, one: ServedInput) -> bool:
    """True if two slices of it are subtracted, which are the rows' lengths, or an operation says so."""
    if one.shape != (None,) or one.dtype not in (tf.int64, tf.int32):
        return False
    read = list(value_consumers(consumers, one.tensor))
    subtracted = [node.name for node, _ in read if node.op == "Sub"]
    return (len(subtracted) != len(set(subtracted))
            or any(index >= _SPLIT.get(node.op, index + 1) for node, index in read)
            or "row_splits" in names.node_of(one.tensor))
