"""What the contract suite runs: each transform with sensible options, and how far answers may be off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from estimator_slim.freezing.variables import freeze
from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import TRANSFORMS, transform_list
from estimator_slim.transforms.base import Transform

LOSSLESS = 1e-5


@dataclass(frozen=True)
class Case:
    """How a transform is tried.

    Attributes:
      text: with its options; `{log}` stands for a log of the graph's requantization ranges, `{output}`
        for a node that a signature fetches.
      before: what is run first.
      bound: how far an answer may be off, as a share of the largest of its output.
      not_idempotent: why a second application may change the graph.
      fits_any_graph: why it changes a graph that has nothing for it, or refuses it.
      fixtures: where it can be tried; none: everywhere.
    """

    text: str
    before: str = ""
    bound: float = LOSSLESS
    not_idempotent: str = ""
    fits_any_graph: str = ""
    fixtures: tuple[str, ...] = ()


CASES: dict[str, Case] = {
    **{name: Case(name) for name in TRANSFORMS},
    "remove_nodes": Case("remove_nodes(op=Identity, op=CheckNumerics)"),
    # Eight bits, one scale a row; and one scale for each batch of a layer's inputs.
    "quantize_weights": Case("quantize_weights(minimum_size=16)", bound=0.05),
    # A tenth of the energy of what a layer is given may be left out.
    "reduce_rank": Case("reduce_rank(energy=0.9)", before="simplify_lookups", bound=0.5,
                        not_idempotent="a narrow table may be narrowed again"),
    "round_weights": Case("round_weights(num_steps=4096)", bound=0.01,
                          not_idempotent="the steps of rounded weights are others"),
    "quantize_nodes": Case("quantize_nodes", bound=0.3,
                           not_idempotent="it measures ranges with operations that it quantizes"),
    "insert_logging": Case("insert_logging(first_n=0)", not_idempotent="it logs again"),
    "freeze_requantization_ranges": Case(
        "freeze_requantization_ranges(min_max_log_file={log}, min_percentile=0, max_percentile=0)",
        before="quantize_nodes", bound=0.5,
        not_idempotent="the ranges that the log names are gone",
        fits_any_graph="a log that fits no node is an error",
        fixtures=("layers", "dnn_v1_hash_mean", "linear_classifier_v1")),
    "set_device": Case('set_device(device="/device:CPU:0")', fits_any_graph="it moves every node"),
    "remove_attribute": Case("remove_attribute(attribute_name=transpose_a)"),
    "rename_attribute": Case("rename_attribute(old_attribute_name=transpose_a, "
                             "new_attribute_name=_note)"),
    "rename_op": Case("rename_op(old_op_name=Relu, new_op_name=Elu)", bound=np.inf),
    "rename_node": Case('rename_node(old_node_name="{output}", new_node_name=renamed)',
                        not_idempotent="the node is renamed already",
                        fits_any_graph="there is a node of that name"),
}


def transform(name: str, graph: Graph, log: Path) -> Transform:
    """The transform of this name with the options of its case, for `graph`."""
    output = names.node_of(graph.interface.outputs()[0])
    [made] = transform_list(CASES[name].text.format(log=log, output=output))
    return made


def write_ranges(graph: Graph, log: Path) -> None:
    """A log by which every range of `graph` is from -16 to 16."""
    log.write_text("".join(f";{n.name}__print__;__requant_min_max:[-16][16]\n"
                           for n in graph.nodes.values() if n.op == "RequantizationRange"))


def frozen(source: str, before: str = "") -> Graph:
    """The graph of a servable as the first transform gets it, after those of `before`."""
    graph = freeze(read_servable(source))
    for one in transform_list(before):
        graph, _ = one.apply(graph)
    return graph
