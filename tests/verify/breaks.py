"""The ways to break a servable: each edits it and returns which outputs may answer otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from estimator_slim.graph import names
from estimator_slim.quantization.blocks import rows_per_block
from tests.verify.breaking import DoesNotFit, Outputs, Servable, asset, value_of

BREAKS: dict[str, Callable[[Servable], Outputs]] = {}


def breaks(kind: Callable[[Servable], Outputs]) -> Callable[[Servable], Outputs]:
    BREAKS[kind.__name__.replace("_", " ")] = kind
    return kind


def table(servable: Servable):
    """The Const of the first table that requests look rows up in, and the lookup."""
    for node in servable.of("GatherV2", "ResourceGather"):
        found = servable.nodes[names.node_of(node.input[0])]
        if found.op == "Const" and value_of(found).ndim == 2:
            return found, node
    raise DoesNotFit


def kernel(servable: Servable):
    return servable.constant(servable.of("MatMul")[-1], 1)


# ---- weights


@breaks
def one_kernel_row_negated(servable: Servable) -> Outputs:
    def change(values: np.ndarray) -> None:
        values[np.argmax(np.linalg.norm(values, axis=1))] *= -1
    return servable.reached(servable.edit(kernel(servable), change))


@breaks
def kernel_columns_rolled(servable: Servable) -> Outputs:
    return servable.reached(servable.edit(kernel(servable), lambda v: np.roll(v, 1, axis=1)))


@breaks
def a_kernel_value_not_a_number(servable: Servable) -> Outputs:
    def change(values: np.ndarray) -> None:
        values[0, 0] = np.nan
    return servable.reached(servable.edit(kernel(servable), change))


@breaks
def a_bias_dropped(servable: Servable) -> Outputs:
    bias = servable.constant(servable.of("BiasAdd")[-1], 1)
    if np.abs(value_of(bias)).max() < 0.05:
        raise DoesNotFit  # so little training that eight bits round away more
    return servable.reached(servable.edit(bias, np.zeros_like))


@breaks
def table_rows_swapped(servable: Servable) -> Outputs:
    return servable.reached(servable.edit(table(servable)[0], lambda v: v[::-1].copy()))


@breaks
def table_rows_zeroed(servable: Servable) -> Outputs:
    def change(values: np.ndarray) -> None:
        values[::3] = 0
    return servable.reached(servable.edit(table(servable)[0], change))


@breaks
def table_truncated(servable: Servable) -> Outputs:
    return servable.reached(servable.edit(table(servable)[0], lambda v: v[:len(v) // 2].copy()))


@breaks
def rows_of_one_scale_doubled(servable: Servable) -> Outputs:
    def change(values: np.ndarray) -> None:
        values[:rows_per_block(values.shape[1])] *= 2
    return servable.reached(servable.edit(table(servable)[0], change))


# ---- operations


@breaks
def softmax_left_out(servable: Servable) -> Outputs:
    return _as(servable, servable.of("Softmax")[0], "Identity", "T")


@breaks
def relu_left_out(servable: Servable) -> Outputs:
    return _as(servable, servable.of("Relu")[0], "Identity", "T")


@breaks
def mean_of_words_as_their_sum(servable: Servable) -> Outputs:
    node = servable.of("SparseSegmentMeanWithNumSegments", "SparseSegmentMean")[0]
    return _as(servable, node, node.op.replace("Mean", "Sum"))


def _as(servable: Servable, node, op: str, *kept: str) -> Outputs:
    node.op = op
    for key in [key for key in node.attr if kept and key not in kept]:
        del node.attr[key]
    return servable.reached({node.name})


@breaks
def ids_off_by_one(servable: Servable) -> Outputs:
    node = table(servable)[1]
    kind = tf.as_dtype(node.attr["Tindices"].type)
    less = servable.add("Sub", "less", [node.input[1], servable.number("one", 1, kind)],
                        T=kind.as_datatype_enum)
    node.input[1] = servable.add("Maximum", "ids", [less, servable.number("zero", 0, kind)],
                                 T=kind.as_datatype_enum)
    return servable.reached({node.name})


@breaks
def class_ids_plus_one(servable: Servable) -> Outputs:
    tensor = servable.output("class_ids")
    one = servable.number("plus", 1, tf.int64)
    return servable.reached(servable.behind(tensor, "AddV2", one, T=tf.int64.as_datatype_enum))


@breaks
def rows_of_the_batch_reversed(servable: Servable) -> Outputs:
    axis = servable.number("axis", [0], tf.int32)
    return servable.reached(servable.behind(servable.of("BiasAdd")[-1].name, "ReverseV2", axis,
                                            T=tf.float32.as_datatype_enum,
                                            Tidx=tf.int32.as_datatype_enum))


@breaks
def scores_five_percent_too_large(servable: Servable) -> Outputs:
    factor = servable.number("factor", 1.05, tf.float32)
    return servable.reached(servable.behind(servable.output("probabilities"), "Mul", factor,
                                            T=tf.float32.as_datatype_enum))


# ---- signatures


@breaks
def a_signature_dropped(servable: Servable) -> Outputs:
    key = sorted(servable.meta_graph.signature_def)[0]
    del servable.meta_graph.signature_def[key]
    return {(key, "")}


@breaks
def an_output_dropped(servable: Servable) -> Outputs:
    key, signature = sorted(servable.meta_graph.signature_def.items())[-1]
    output = sorted(signature.outputs)[0]
    del signature.outputs[output]
    return {(key, output)}


@breaks
def two_outputs_swapped(servable: Servable) -> Outputs:
    for key, signature in servable.meta_graph.signature_def.items():
        infos = sorted(signature.outputs.items(), reverse=True)
        for number, (name, one) in enumerate(infos):
            for other_name, other in infos[number + 1:]:
                if one.dtype == other.dtype and one.name != other.name:
                    one.name, other.name = other.name, one.name
                    return {(key, name), (key, other_name)}
    raise DoesNotFit


@breaks
def an_output_of_another_dtype(servable: Servable) -> Outputs:
    wide = servable.behind(servable.output("probabilities", "scores"), "Cast",
                           SrcT=tf.float32.as_datatype_enum, DstT=tf.float64.as_datatype_enum)
    return servable.reached(wide)


@breaks
def an_output_of_another_shape(servable: Servable) -> Outputs:
    axis = servable.number("last", -1, tf.int32)
    scores = servable.output("probabilities", "scores")
    return servable.reached(servable.behind(scores, "ExpandDims", axis,
                                            T=tf.float32.as_datatype_enum,
                                            Tdim=tf.int32.as_datatype_enum))


# ---- tables and assets


@breaks
def vocabulary_lines_shuffled(servable: Servable) -> Outputs:
    return _reversed(servable, asset(servable, "words.txt"))


@breaks
def class_names_shuffled(servable: Servable) -> Outputs:
    for node in servable.of("Const"):
        value = value_of(node)
        if value.dtype == object and set(value.ravel()) == {b"on", b"play", b"stop"} and value.ndim == 1:
            changed = servable.edit(node, lambda v: v[::-1].copy())
            (reader,) = [n for n in servable.graph.node if node.name in n.input]
            return servable.reached(changed | {reader.input[0]})
    return _reversed(servable, asset(servable, "names.txt"))


@breaks
def tables_not_initialised(servable: Servable) -> Outputs:
    loaders = servable.of("LookupTableImportV2", "InitializeTableFromTextFileV2")
    dead = {f"^{node.name}" for node in loaders}
    for node in servable.graph.node:
        node.input[:] = [i for i in node.input if i not in dead]
    return servable.reached({node.input[0] for node in loaders})


def _reversed(servable: Servable, file: Path) -> Outputs:
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join(lines[::-1]) + b"\n")
    tables = {node.input[0] for node in servable.of("InitializeTableFromTextFileV2")
              if file.name.encode() in value_of(servable.nodes[node.input[1]]).item()}
    return servable.reached(tables)
