"""quantize_weights: tables as eight-bit codes, decoded row by row as requests look them up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.weight import Weight
from estimator_slim.quantization.fit import NonFiniteError, fit_rows
from estimator_slim.quantization.grid import encode
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.decoding import add_decode
from estimator_slim.transforms.tables import Table, tables


@dataclass(frozen=True)
class QuantizeWeights(Transform):
    """Stores float tables that requests look up as int8 codes with a float scale for each row.

        Before: table [N, D] float32 ─ GatherV2(ids) ─ rows
        After:  codes [N, D] int8    ─ GatherV2(ids) ─ Cast ─ Mul ─ rows
                scale [N, 1] float32 ─ GatherV2(ids) ────────┘

    The engine's own decodes the whole table for every request. Rows are read and encoded in slices
    while they are written. No value changes by more than half its row's scale, which is the row's
    largest magnitude / 127.

    Attributes:
      minimum_size: tables of fewer values stay as they are.
    """

    text_name: ClassVar[str] = "quantize_weights"
    lossy: ClassVar[bool] = True
    minimum_size: int = 1024

    def __post_init__(self) -> None:
        if self.minimum_size < 0:
            raise OptionError(f"quantize_weights(minimum_size=...) takes 0 or more values, got "
                              f"{self.minimum_size}")

    def rewrite(self, graph: Graph) -> None:
        for table in tables(graph):
            reason = self._reason_to_skip(table)
            if reason is None:
                reason = _quantize(graph, table)
            if reason and table.lookups:
                graph.skip(table.name, reason)

    def _reason_to_skip(self, table: Table) -> str | None:
        weight = table.weight
        if not table.lookups:
            return "no lookup reads it"
        if table.others:
            return f"{table.others[0].name} reads all of it"
        if weight.dtype != tf.float32:
            return f"it holds {weight.dtype.name}"
        if weight.value_count < max(1, self.minimum_size):
            return f"it has {weight.value_count} values, fewer than minimum_size"
        return None


def _quantize(graph: Graph, table: Table) -> str | None:
    """Replaces the table by codes and scales; returns the reason where it cannot."""
    weight = table.weight
    try:
        scale = np.concatenate([fit_rows(_as_rows(rows), 8, False).scale
                                for _, rows in weight.slices()])
    except NonFiniteError as e:
        return f"it holds a value that is not finite: {e}"

    def codes(start: int, stop: int) -> np.ndarray:
        return encode(_as_rows(weight.read(start, stop)), scale[start:stop], None, 8)

    row = weight.shape[1:]
    codes_tensor = graph.add_weight(
        f"{table.name}/codes", Weight(tf.int8, weight.shape, codes, origin=weight.origin))
    scale_tensor = graph.add_weight(
        f"{table.name}/scale", Weight.of_array(scale.reshape((-1,) + (1,) * len(row))))
    for lookup in table.lookups:
        _decode_after(graph, lookup, codes_tensor, scale_tensor)
    return None


def _as_rows(rows: np.ndarray) -> np.ndarray:
    """Rows with at least one axis beside the first: a vector is a table of width 1."""
    return rows.reshape(len(rows), 1) if rows.ndim == 1 else rows


def _decode_after(graph: Graph, lookup: NodeDef, codes: str, scale: str) -> None:
    """Makes `lookup` gather codes and scales and decode them, under its own name."""
    name, rest = lookup.name, list(lookup.input)[1:]
    def gather(table, dtype, suffix):
        twin = NodeDef()
        twin.CopyFrom(lookup)
        twin.name = graph.unique(f"{name}/{suffix}")
        twin.input[0] = table
        twin.attr["Tparams"].type = dtype.as_datatype_enum
        graph.nodes[twin.name] = twin
        return twin.name
    value = add_decode(graph, name, gather(codes, tf.int8, "codes"), gather(scale, tf.float32, "scale"))
    result = graph.nodes.pop(value)
    result.name = name
    graph.nodes[name] = result
