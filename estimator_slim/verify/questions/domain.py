"""What a tensor's values may be, told by the nodes that read them: known words, a limit for ids.

Also whether the shape of a sparse tensor may be below zero (`is_checked`): of TensorFlow's kernels some
refuse such a shape, and some end the process. A question that the original crashes on tells nothing, and
costs another load of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import tensorflow as tf

from estimator_slim.graph import VARIABLE_OPS, Consumers, Graph, NodeDef, attribute, names
from estimator_slim.saved_model import Servable
from estimator_slim.verify.questions.consumers import (
    nodes_behind,
    value_consumers,
    with_inner,
)
from estimator_slim.verify.questions.hashed import HASHES, Trained, words_of
from estimator_slim.verify.questions.unusual import is_quantity, unusual
from estimator_slim.verify.questions.vocabulary import Keys, Vocabularies

_FINDS = frozenset(("LookupTableFindV2", "LookupTableFind"))
_HASHES = frozenset(("StringToHashBucketFast", "StringToHashBucketStrong", "StringToHashBucket",
                     "SparseCross", "SparseCrossV2", "SparseCrossHashed"))
_SPLITS = frozenset(("StringSplit", "StringSplitV2"))
_JPEG = frozenset(("DecodeJpeg", "DecodeAndCropJpeg", "ExtractJpegShape"))
_OTHERS = {"DecodeBmp": "bmp", "DecodeWav": "wav"}
_IMAGES = _JPEG | {"DecodePng", "DecodeImage", "DecodeGif", *_OTHERS}
_TABLES = {"ResourceGather": (1, None), "GatherV2": (1, 2), "Gather": (1, None)}  # ids, axis
_COMPARED = frozenset(("Less", "GreaterEqual"))
_CHECK = frozenset(("SparseReshape", "SparseToDense", "SparseTensorDenseMatMul", "SparseReduceSum",
                    "SparseReduceMax", "SparseSplit"))
_UNHARMED = frozenset(("Identity", "IdentityN", "Slice", "StridedSlice", "Gather", "GatherV2", "Cast",
                       "Shape", "Size", "Prod", "Pack", "ConcatV2", "Reshape"))
_RAW = frozenset(("DecodeRaw", "DecodePaddedRaw"))
_KERNELS = {"MatMul": "transpose_b", "BatchMatMulV2": "adj_y", "SparseTensorDenseMatMul": "adjoint_b"}
_CONVOLUTIONS = frozenset(("Conv2D", "DepthwiseConv2dNative"))
_SPELLED = frozenset(("Reshape", "Pack", "ConcatV2", "SparseReshape", "SparseToDense", "BroadcastTo",
                      "Fill"))
_MOST_SIZES, _LARGEST = 6, 10_000
_LARGE = 4  # bytes of an integer that counts seconds


@dataclass(frozen=True)
class Domain:
    """The values that a tensor usually has; all empty where nothing is known.

    Attributes:
      keys: words, or integers, that a lookup table knows.
      edges: the first and the last key of each table.
      separator: the texts are split at it, or their columns are.
      image: `jpeg`, `png` or `bmp` where the strings are images, `wav` where they are sounds.
      raw: type and count of the numbers of whose bytes each string is.
      is_number: the strings are numbers, written out.
      columns: type and domain of each column, where the strings are lines of comma-separated values.
      limit: ids are below it.
      boundaries: of the buckets that numbers fall in.
      quantity: integers that are no ids: a time, a price, which may be large.
      unusual: `nans` or `infinities`, or both, where it is certain what comes of such floats.
    """

    keys: Keys = ()
    edges: Keys = ()
    separator: bytes | None = None
    image: str | None = None
    raw: tuple[tf.DType, int] | None = None
    is_number: bool = False
    columns: tuple[tuple[tf.DType, Domain], ...] = ()
    limit: int | None = None
    boundaries: tuple[float, ...] = ()
    quantity: bool = False
    unusual: frozenset[str] = frozenset()


class Domains:
    """The domains of a servable's tensors."""

    def __init__(self, servable: Servable, trained: Trained = MappingProxyType({})):
        """Reads nothing yet.

        Args:
          servable: whose tensors.
          trained: tensor of ids → the only ids to ask for, where others have lost their rows.
        """
        self._trained = trained
        self._graph: Graph = servable.graph
        self.consumers = Consumers(servable.graph)
        self._vocabularies = Vocabularies(servable)
        self._domains: dict[str, Domain] = {}

    def of(self, tensor: str, dtype: tf.DType) -> Domain:
        """The domain of the values in `tensor`."""
        if tensor not in self._domains:
            self._domains[tensor] = self._of(tensor, dtype)
        return self._domains[tensor]

    def sizes(self, tensors: Iterable[str]) -> tuple[list[int], list[int]]:
        """(sizes, channels) that what is behind the tensors takes, the nearest first, a few of each.

        Sizes are rows of kernels, and dimensions that are spelled out; channels those of convolutions.
        """
        sizes: dict[int, None] = {}
        channels: dict[int, None] = {}
        for node in nodes_behind(self.consumers, [n for t in tensors for n, _ in self.consumers.of(t)]):
            if node.op in _KERNELS:
                shape = self._shape(names.data_inputs(node)[-1]) or [0]
                is_transposed = attribute(node, _KERNELS[node.op]).b
                sizes[shape[-1] if is_transposed else shape[max(0, len(shape) - 2)]] = None
            elif node.op in _CONVOLUTIONS:
                channels[(self._shape(node.input[1]) or [0, 0])[-2]] = None
            elif node.op in _SPELLED:
                sizes |= dict.fromkeys(self._spelled(node))
        return tuple([n for n in found if 1 < n <= _LARGEST][:_MOST_SIZES]
                     for found in (sizes, channels))  # type: ignore[return-value]

    def _spelled(self, node: NodeDef) -> Iterator[int]:
        """The few integers in a shape that a node makes, or takes; also in one that is put together."""
        taken = names.data_inputs(node)
        made = [self._graph.producer(tensor) for tensor in taken]
        for tensor in [*taken, *(t for one in made if one.op == "Pack" for t in names.data_inputs(one))]:
            constant = self._graph.constant(tensor)
            if constant is not None and constant.dtype.kind in "iu" and constant.size <= _MOST_SIZES:
                yield from (int(size) for size in constant.flat)

    def _of(self, tensor: str, dtype: tf.DType) -> Domain:
        read = list(value_consumers(self.consumers, tensor))
        operations = {node.op for node, _ in read}
        keys = [self._known(node) for node, index in read if node.op in _FINDS and index == 1]
        keys += [words_of(node, self._trained[node.name]) for node, index in read
                 if node.op in HASHES and index == 0 and node.name in self._trained]
        if dtype != tf.string:
            return self._of_numbers(tensor, dtype, keys, read)
        csv = next((node for node, index in read if node.op == "DecodeCSV" and index == 0), None)
        if csv is not None:
            return Domain(columns=tuple(self._columns(csv)), separator=attribute(csv, "field_delim").s)
        separators = [self._separator(node) for node, _ in read if node.op in _SPLITS]
        raw = next((node for node, _ in read if node.op in _RAW), None)
        if not operations & (_FINDS | _HASHES | _IMAGES | _RAW | {"StringToNumber"}):
            behind = list(with_inner(self._graph, nodes_behind(self.consumers, [n for n, _ in read])))
            operations = {node.op for node in behind}
            raw = next((node for node in behind if node.op in _RAW), None)
            keys = self._vocabularies.of_words() if operations & _FINDS else []
            separators += [b" "] if operations & _SPLITS else []
        return Domain(_merged(keys), _edges(keys), separators[0] if separators else None,
                      _image(operations), self._raw(tensor, raw), "StringToNumber" in operations)

    def _raw(self, tensor: str, node: NodeDef | None) -> tuple[tf.DType, int] | None:
        """Type and count of the numbers that `node` reads: as many as behind it make a row."""
        if node is None:
            return None
        dtype = tf.dtypes.as_dtype(attribute(node, "out_type").type)
        shapes = [self._graph.constant(reader.input[1]) for reader, index in self.consumers.of(node.name)
                  if reader.op == "Reshape" and index == 0]
        counts = [int(np.prod(shape[shape > 0])) for shape in shapes if shape is not None]
        if node.op == "DecodePaddedRaw" and (length := self._graph.constant(node.input[1])) is not None:
            counts = [int(length) // dtype.size]
        sizes = self.sizes([node.name if node.name in self._graph.nodes else tensor])[0]
        return dtype, [*counts, *sizes, 1][0]

    def _known(self, find: NodeDef) -> Keys:
        """The words, or integers, that a lookup table knows."""
        keys = self._vocabularies.keys(find.input[0])
        if find.name not in self._trained:
            return keys
        return tuple(keys[number] for number in self._trained[find.name].tolist() if number < len(keys))

    def _of_numbers(self, tensor: str, dtype: tf.DType, keys: list[Keys],
                    read: list[tuple[NodeDef, int]]) -> Domain:
        limit = self._limit(read)
        keys += [tuple(self._trained[tensor].tolist())] if tensor in self._trained else []
        known = keys or limit or not dtype.is_integer or dtype.size < _LARGE
        return Domain(_merged(keys), _edges(keys), limit=limit, boundaries=_boundaries(read),
                      quantity=not known and is_quantity(self.consumers, tensor),
                      unusual=unusual(self._graph, self.consumers, read) if dtype.is_floating
                      else frozenset())

    def _columns(self, csv: NodeDef) -> Iterator[tuple[tf.DType, Domain]]:
        for port, kind in enumerate(attribute(csv, "OUT_TYPE").list.type):
            dtype = tf.dtypes.as_dtype(kind)
            yield dtype, self.of(names.tensor(csv.name, port), dtype)

    def _separator(self, split: NodeDef) -> bytes:
        """Where none is given, white space; of the old operation's several ones, the first."""
        constant = self._graph.constant(split.input[1])
        separator = b"" if constant is None else constant.item()
        return (separator if split.op == "StringSplitV2" else separator[:1]) or b" "

    def _limit(self, read: list[tuple[NodeDef, int]]) -> int | None:
        """The least number of rows that an id is looked up in; else the least it is compared with."""
        rows = [limit for node, index in read for limit in self._rows(node, index)]
        bounds = [limit for node, index in read for limit in self._compared(node, index)]
        return min(rows or bounds, default=None)

    def _rows(self, node: NodeDef, index: int) -> Iterator[int]:
        ids, axis = _TABLES.get(node.op, (None, None))
        if index == ids:
            shape = self._shape(node.input[0])
            at = 0 if axis is None else self._graph.constant(node.input[axis])
            if shape and at is not None and 0 <= int(at) < len(shape) and shape[int(at)] > 0:
                yield shape[int(at)]
        elif node.op == "OneHot" and index == 0:
            depth = self._graph.constant(node.input[1])
            yield from [] if depth is None else [max(1, int(depth))]

    def _shape(self, tensor: str) -> list[int] | None:
        """Of a Const or a variable, None of anything else."""
        node = self._graph.producer(tensor)
        if node.op == "Const":
            return [dim.size for dim in attribute(node, "value").tensor.tensor_shape.dim]
        if node.op == "ReadVariableOp":
            node = self._graph.nodes[names.node_of(node.input[0])]
        return [d.size for d in attribute(node, "shape").shape.dim] if node.op in VARIABLE_OPS else None

    def _compared(self, node: NodeDef, index: int) -> Iterator[int]:
        bound = self._graph.constant(node.input[1]) if node.op in _COMPARED and index == 0 else None
        if bound is not None and bound.dtype.kind in "iu" and bound.size == 1 and bound.item() > 0:
            yield int(bound.item())


def is_checked(consumers: Consumers, dense_shape: str) -> bool:
    """True if what reads this dense shape refuses one below zero, and nothing may crash on it."""
    operations = {node.op for node, _ in value_consumers(consumers, dense_shape)}
    return bool(operations & _CHECK) and operations <= _CHECK | _UNHARMED


def _merged(keys: list[Keys]) -> Keys:
    return tuple(dict.fromkeys(key for table in keys for key in table))


def _edges(keys: list[Keys]) -> Keys:
    return _merged([(table[0], table[-1]) for table in keys if table])


def _boundaries(read: list[tuple[NodeDef, int]]) -> tuple[float, ...]:
    return tuple(sorted({boundary for node, _ in read if node.op == "Bucketize"
                         for boundary in attribute(node, "boundaries").list.f}))


def _image(operations: set[str]) -> str | None:
    """Of what several take; a GIF is taken as PNG too."""
    if operations & _IMAGES:
        others = [kind for op, kind in _OTHERS.items() if op in operations]
        return "jpeg" if operations & _JPEG else others[0] if others else "png"
    return None
