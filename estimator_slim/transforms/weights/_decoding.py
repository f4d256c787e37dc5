"""The nodes that turn codes into the values they stand for: for each lookup, or once at load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tensorflow as tf

from estimator_slim.graph import CODED, Graph, NodeDef, Stored, Weight, attributes, names
from estimator_slim.transforms.weights._coding import WHOLE_TABLE, Coding


def decode_lookups(graph: Graph, name: str, coding: Coding, lookups: list[NodeDef]) -> None:
    """Makes each of `lookups` gather codes and grids and decode what it gathered.

        Before: table ─ GatherV2(ids) ─ rows
        After:  codes ─ GatherV2(ids) ─ Cast ─ Mul ─ rows
                scale ─ GatherV2(ids) ────────┘
    """
    tensors = {part: (_add_part(graph, f"{name}/{part}", weight), weight.dtype)
               for part, weight in parts_of(coding).items()}
    for lookup in lookups:
        _decode_after(graph, lookup, coding, tensors)


def _add_part(graph: Graph, name: str, weight: Weight) -> str:
    """Adds a part of a coding, noted as such at the node that holds it; returns its tensor."""
    value = graph.add_weight(name, weight)
    holder = graph.producer(value)
    if holder.op == "ReadVariableOp":
        holder = graph.nodes[names.node_of(holder.input[0])]
    attributes.put(holder, CODED, True)
    return value


def stored_as_codes(weight: Weight, coding: Coding) -> Weight:
    """`weight` as one that lies on disk as `coding` of its matrix, decoded by the restore op."""
    def decode(graph: Graph, name: str, tensors: dict[str, str]) -> str:
        if coding.per_block > 1:
            tensors = {part: tensor if part == "codes" else
                       _for_each_row(graph, f"{name}/{part}", coding, tensor)
                       for part, tensor in tensors.items()}
        value = _add_decode(graph, name, coding, tensors)
        if weight.shape == coding.weight.shape:
            return value
        shape = graph.add_constant(f"{name}/shape", np.array(weight.shape, np.int64))
        return graph.add("Reshape", f"{name}/reshaped", [value, shape], T=weight.dtype,
                         Tshape=tf.int64)

    return replace(weight, stored=Stored(parts_of(coding), decode))


def parts_of(coding: Coding) -> dict[str, Weight]:
    """What is stored of a coding, by the suffix of its name: `codes`, `scale`, `offset`."""
    parts = {"codes": coding.codes}
    if coding.grid is not None:
        parts["scale"] = coding.column(coding.grid.scale)
        if coding.grid.offset is not None:
            parts["offset"] = coding.column(coding.grid.offset)
    return parts


def _decode_after(graph: Graph, lookup: NodeDef, coding: Coding,
                  tensors: dict[str, tuple[str, tf.DType]]) -> None:
    name, ids = lookup.name, lookup.input[1]
    gathered = {"codes": _gather(graph, lookup, *tensors["codes"], ids, "codes")}
    if coding.per_block > 1:
        ids = _block_of(graph, lookup, ids, coding.per_block)
    for part in ("scale", "offset"):
        if part in tensors:
            gathered[part] = (tensors[part][0] if coding.per_block == WHOLE_TABLE
                              else _gather(graph, lookup, *tensors[part], ids, part))
    last = graph.nodes.pop(_add_decode(graph, name, coding, gathered))
    last.name = name
    graph.nodes[name] = last


def _gather(graph: Graph, lookup: NodeDef, table: str, dtype: tf.DType, ids: str,
            part: str) -> str:
    """Adds a twin of `lookup` that reads `table`, a tensor of `dtype`."""
    twin = NodeDef()
    twin.CopyFrom(lookup)
    twin.name = graph.unique(f"{lookup.name}/{part}")
    twin.input[0], twin.input[1] = table, ids
    attributes.put(twin, "Tparams", dtype)
    graph.nodes[twin.name] = twin
    return twin.name


def _for_each_row(graph: Graph, name: str, coding: Coding, grids: str) -> str:
    """Adds `grids[row >> bits]` for every row of the weight."""
    first, count, one, bits, axis = (
        graph.add_constant(f"{name}/{key}", np.int64(value)) for key, value in
        (("first", 0), ("count", coding.weight.row_count), ("one", 1),
         ("bits", coding.per_block.bit_length() - 1), ("axis", 0)))
    rows = graph.add("Range", f"{name}/row", [first, count, one], Tidx=tf.int64)
    blocks = graph.add("RightShift", f"{name}/block", [rows, bits], T=tf.int64)
    return graph.add("GatherV2", f"{name}/rows", [grids, blocks, axis], Tparams=tf.float32,
                     Tindices=tf.int64, Taxis=tf.int64, batch_dims=0)


def _block_of(graph: Graph, lookup: NodeDef, ids: str, per_block: int) -> str:
    dtype = attributes.dtype(lookup, "Tindices")
    bits = np.array(per_block.bit_length() - 1, dtype.as_numpy_dtype)
    return graph.add("RightShift", f"{lookup.name}/block",
                     [ids, graph.add_constant(f"{lookup.name}/block/bits", bits)], T=dtype)


def _add_decode(graph: Graph, name: str, coding: Coding, tensors: dict[str, str]) -> str:
    """Adds `codes * scale + offset` over (gathered or whole) parts; returns the result's tensor."""
    add: Callable[..., str] = graph.add
    codes, dtype = tensors["codes"], coding.weight.dtype
    if coding.bits == 4:
        codes = _unpack(graph, name, codes, coding.weight.shape[-1])
    decoded = dtype if coding.grid is None else tf.float32
    value = add("Cast", f"{name}/cast", [codes], SrcT=coding.codes.dtype, DstT=decoded,
                Truncate=False)
    if "scale" in tensors:
        value = add("Mul", f"{name}/scaled", [value, tensors["scale"]], T=tf.float32)
    if "offset" in tensors:
        value = add("AddV2", f"{name}/shifted", [value, tensors["offset"]], T=tf.float32)
    if decoded != dtype:
        value = add("Cast", f"{name}/value", [value], SrcT=decoded, DstT=dtype, Truncate=False)
    return value


def _unpack(graph: Graph, name: str, packed: str, width: int) -> str:
    """Adds `concat([packed & 15, packed >> 4], -1)`, less the padding of an odd width."""
    low = graph.add("BitwiseAnd", f"{name}/low",
                    [packed, graph.add_constant(f"{name}/low/mask", np.uint8(15))], T=tf.uint8)
    high = graph.add("RightShift", f"{name}/high",
                     [packed, graph.add_constant(f"{name}/high/bits", np.uint8(4))], T=tf.uint8)
    if width % 2:
        high = _without_padding(graph, f"{name}/high", high)
    return graph.add("ConcatV2", f"{name}/unpacked",
                     [low, high, graph.add_constant(f"{name}/unpacked/axis", np.int32(-1))],
                     N=2, T=tf.uint8, Tidx=tf.int32)


def _without_padding(graph: Graph, name: str, codes: str) -> str:
    """Adds `codes[..., :-1]`."""
    bounds = [graph.add_constant(f"{name}/{key}", np.array([value], np.int32).repeat(2))
              for key, value in (("begin", 0), ("end", -1), ("strides", 1))]
    return graph.add("StridedSlice", f"{name}/codes", [codes, *bounds], T=tf.uint8, Index=tf.int32,
                     begin_mask=2, end_mask=0, ellipsis_mask=1, new_axis_mask=0, shrink_axis_mask=0)
