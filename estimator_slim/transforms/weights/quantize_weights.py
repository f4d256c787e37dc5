"""quantize_weights: tables as codes, decoded row by row as requests look them up."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import (
    CODED,
    CONSTANT_BYTES,
    Graph,
    Table,
    Weight,
    attributes,
    names,
    shared_name,
    tables_of,
)
from estimator_slim.quantization import (
    NonFiniteError,
    PrecisionError,
    feedback_for,
    packed_width,
    rows_per_block,
)
from estimator_slim.report import Treatment
from estimator_slim.transforms.base import Skip, Told, Transform
from estimator_slim.transforms.bounds import COARSE, INFINITIES, Bounds
from estimator_slim.transforms.weights._coding import Coding, fit_coding
from estimator_slim.transforms.weights._decoding import (
    decode_lookups,
    parts_of,
    stored_as_codes,
)
from estimator_slim.transforms.weights._measuring import coded
from estimator_slim.transforms.weights._next_layer import NextLayers

_SHARE = 1 / 32         # of the bytes of all codes: smaller kernels are not worth a Cast
_LEAST_KERNEL = 1 << 14  # bytes
_LITTLE = 256  # times what is left of a table: then it is floats in memory
_WIDEST = 1024  # passing errors on takes time with the square of the width
_BOUNDS = {("row", 16): Bounds(max_error=0.01, min_agreement=0.99, snr=50.0, row_snr=40.0),
           ("row", 8): Bounds(max_error=0.05, min_agreement=0.99, snr=30.0, row_snr=20.0),
           ("row", 4): Bounds(max_error=0.2, min_agreement=0.99, snr=12.0, row_snr=-6.0),
           ("table", 16): Bounds(max_error=0.01, min_agreement=0.99, snr=50.0, row_snr=40.0),
           ("table", 8): Bounds(max_error=0.1, min_agreement=0.99, snr=20.0, row_snr=10.0)}
_PRECISION = re.compile(r".+:(4|8|16|float)")
_FLOATS = (tf.float32, tf.float64, tf.float16, tf.bfloat16)


@dataclass(frozen=True)
class QuantizeWeights(Transform):
    """Stores float weights as codes of few bits with a scale for each row.

    A large table that requests look up stays in codes; a request decodes the rows it reads:

        Before: table [N, D] float32 ─ GatherV2(ids) ─ rows
        After:  codes [N, D] int8    ─ GatherV2(ids) ─ Cast ─ Mul ─ rows
                scale [N, 1] float32 ─ GatherV2(ids) ────────┘

    A kernel that requests read as a whole is decoded once, at load, by the restore op, and so is what
    loops and branches read. So are tables where the memory for their floats is worth less than the time
    of every request: those of up to 256 KiB, and those of which so many rows or columns were left out
    before (drop_untrained_rows, reduce_rank) that floats are 1/256 of what they were:

        Before: variables/: kernel float32                kernel ─ ReadVariableOp ─ MatMul
        After:  variables/: kernel/codes, kernel/scale    (the same)

    Kernels of up to 256 KiB stay constants. Where they are more than 1/32 of all codes, they are stored
    as float16, and TensorFlow computes the Cast ahead when it loads the graph:

        Before: Const(kernel float32) ─ MatMul
        After:  Const(kernel float16) ─ Cast ─ MatMul

    The engine's transform of this name decodes the whole table for every request. Here weights are
    read and encoded in slices. With 8 bits no value moves by more than half its row's scale, which is
    the row's largest magnitude / 127. Rows get an offset where it lowers the error enough to be worth
    its bytes; rows of fewer than 64 values share a scale with neighbours of about their size. A weight
    that would lose more than its bits explain, as times in float64 do in float32, stays as it is.

    Attributes:
      bits: 8; 4, two codes to a byte, with the range of each row chosen for the least squared error and,
        where rows are added up and multiplied by a kernel, each value rounded for the least error behind
        the kernel (tables only: other kernels then take 8, their errors add up in every answer); or 16,
        float16.
      granularity: `row`, or `table` for one scale for all of a weight.
      minimum_size: weights of fewer values stay as they are; so do kernels small enough to be Consts.
      weight: single weights with another precision, `NAME:BITS`, BITS being 4, 8, 16 or float; for
        example `quantize_weights(bits=4, weight="dnn/embedding_weights:8")`.
    """

    text_name: ClassVar[str] = "quantize_weights"
    by: ClassVar[str] = "ours"
    lossy: ClassVar[bool] = True
    bits: int = 8
    granularity: str = "row"
    minimum_size: int = 1024
    weight: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits not in (4, 8, 16):
            raise OptionError(f"quantize_weights(bits=...) takes 8, 4 or 16, got {self.bits}")
        if self.granularity not in ("row", "table"):
            raise OptionError("quantize_weights(granularity=...) takes row or table, got "
                              f"{self.granularity!r}")
        if self.minimum_size < 0:
            raise OptionError("quantize_weights(minimum_size=...) takes 0 or more values, got "
                              f"{self.minimum_size}")
        for one in self.weight:
            if not _PRECISION.fullmatch(one):
                raise OptionError("quantize_weights(weight=...) takes the name of a weight and 4, 8, 16 "
                                  f"or float, as in weight=\"table:8\", got {one!r}")

    def bits_of(self, name: str, *, by_rows: bool = True) -> str:
        """The precision of the weight `name`: `4`, `8`, `16` or `float`; a kernel has no 4."""
        bits = dict(one.rpartition(":")[::2] for one in self.weight).get(name, str(self.bits))
        return bits if by_rows or bits != "4" else "8"

    @property
    def bounds(self) -> Bounds:
        """By its bits and granularity; infinity times a weight that is rounded to 0 is no number."""
        usual = _BOUNDS.get((self.granularity, self.bits), COARSE)
        return replace(usual, unjudged=frozenset((INFINITIES,)))

    def rewrite(self, graph: Graph) -> list[Told]:
        found = tables_of(graph)
        unknown = {one.rpartition(":")[0] for one in self.weight} - {table.name for table in found}
        told: list[Told] = [Skip(name, "there is no weight of this name") for name in sorted(unknown)]
        least = self._least_kernel(found)
        layers = NextLayers(graph) if "4" in {self.bits_of(table.name) for table in found} else None
        for table in found:
            if CODED in graph.nodes[table.name].attr and table.weight.dtype.is_integer:
                continue  # codes, or the list of an index
            reason = self._reason_to_skip(table.weight, self.bits_of(table.name))
            if reason is None and CODED in graph.nodes[table.name].attr:
                reason = "it is a part of what is stored as codes already"
            is_variable = table.name in graph.weights
            done = reason if reason is not None else self._quantize(graph, table, layers, least)
            if isinstance(done, Treatment):
                told.append(done)
            elif table.lookups or is_variable or _is_shard(table):
                told.append(Skip(table.name, done))
        changing = [name for name, weight in graph.weights.items()
                    if weight.mutable and self._reason_to_skip(weight, self.bits_of(name)) is None]
        why = "its values may change after loading, or it is not known what reads it"
        return told + [Skip(name, why) for name in changing]

    def sizes(self, graph: Graph) -> dict[str, int]:
        """Node → bytes of its weight, for those that would be coded; no values are read."""
        found = tables_of(graph)
        least = self._least_kernel(found)
        sizes: dict[str, int] = {}
        for table in found:
            bits = self.bits_of(table.name, by_rows=not table.others)
            is_coded = CODED in graph.nodes[table.name].attr
            is_small = bool(table.others) and table.weight.byte_count <= CONSTANT_BYTES
            if is_coded or self._reason_to_skip(table.weight, bits):
                continue
            if not is_small:
                sizes[table.name] = _coded_bytes(table.weight, int(bits))
            elif table.weight.byte_count >= least:
                sizes[table.name] = 2 * table.weight.value_count
        return sizes

    def _reason_to_skip(self, weight: Weight, bits: str) -> str | None:
        if weight.dtype not in _FLOATS or (bits == "16" and weight.dtype.size == 2):
            return f"it holds {weight.dtype.name}"
        if bits == "float":
            return "it is to stay as it is"
        if weight.stored is not None:
            return "it is stored as codes already"
        if len(weight.shape) < 2:
            return "it has a single axis"
        if weight.value_count < max(1, self.minimum_size):
            return f"it has {weight.value_count} values, fewer than minimum_size"
        return None

    def _least_kernel(self, found: Sequence[Table]) -> float:
        """The bytes from which on a small kernel is a good part of what will be stored."""
        codes = sum(table.weight.value_count * int(bits) / 8 for table in found
                    if table.lookups and not table.others and table.weight.stored is None
                    and table.weight.dtype in _FLOATS and len(table.weight.shape) > 1
                    and (bits := self.bits_of(table.name)) != "float")
        return max(_LEAST_KERNEL, codes * _SHARE) if codes else math.inf

    def _quantize(self, graph: Graph, table: Table, layers: NextLayers | None,
                  least: float) -> Treatment | str:
        """Codes the weight, or returns the reason why it cannot; `least`: bytes of a small kernel."""
        holder, size = graph.nodes[table.name], table.weight.byte_count
        is_small = bool(table.others) and size <= CONSTANT_BYTES
        if is_small and size < least:
            return f"something besides lookups reads it, and it is small ({size} bytes)"
        if table.others and names.control_inputs(holder):
            return "something besides lookups reads it, in a loop or a branch"
        try:
            weight = table.weight.matrix() if table.others else table.weight
            bits = 16 if is_small else int(self.bits_of(table.name, by_rows=not table.others))
            coding = fit_coding(weight, bits=bits, granularity=self.granularity)
        except (NonFiniteError, PrecisionError) as e:
            return f"not every value can be coded: {e}"
        if not table.others:
            coding = self._for_next_layer(layers, table, coding)
        if is_small and holder.op == "Const":
            _halve(graph, table, coding)
        elif holder.op == "Const" and (table.others or size <= CONSTANT_BYTES):
            graph.replace_by_weight(table.name, stored_as_codes(table.weight, coding))
        elif table.others or size * _LITTLE <= table.weight.bytes_before:
            graph.weights[shared_name(holder)] = stored_as_codes(table.weight, coding)
        else:
            decode_lookups(graph, table.name, coding, table.lookups)
        return coded(table.name, table.weight, coding, list(parts_of(coding).values()))

    def _for_next_layer(self, layers: NextLayers | None, table: Table, coding: Coding) -> Coding:
        """Four-bit rows are rounded to the advantage of the layer that reads their sums, if one does."""
        width = coding.weight.shape[-1]
        is_matrix = coding.per_block == 1 and coding.weight.shape[1:] == (width,)
        if layers is None or coding.bits != 4 or not is_matrix or width > _WIDEST:
            return coding
        weighing = layers.importance(table.lookups, width)
        return coding if weighing is None else replace(coding, passing_on=feedback_for(weighing))


def _is_shard(table: Table) -> bool:
    """True if the weight is a part of a larger one, which is joined at each request."""
    return any(node.op in ("ConcatV2", "Concat") for node in table.others)


def _coded_bytes(weight: Weight, bits: int) -> int:
    """Bytes of codes of a weight [..., width], and of their scales and offsets."""
    width = weight.shape[-1]
    rows = weight.value_count // width
    grids = 0 if bits == 16 else -(-rows // rows_per_block(width)) * (8 if bits == 4 else 4)
    return rows * (packed_width(width) if bits == 4 else width * bits // 8) + grids


def _halve(graph: Graph, table: Table, coding: Coding) -> None:
    """Stores a Const as float16; TensorFlow computes the Cast ahead when it loads the graph.

    A variable would be as small, but products with what is no Const take TensorFlow longer.
    """
    half = graph.add_constant(f"{table.name}/half", coding.codes.value().reshape(table.weight.shape))
    attributes.put(graph.nodes[half], CODED, True)
    graph.become(graph.nodes[table.name], "Cast", [half], SrcT=tf.float16, DstT=table.weight.dtype,
                 Truncate=False)
