"""The graph that transforms work on: its nodes, weights by reference, who reads what, what is known."""

from estimator_slim.graph import _attributes as attributes
from estimator_slim.graph import _names as names
from estimator_slim.graph import _operations as operations
from estimator_slim.graph import _sparse_facts as sparse_facts
from estimator_slim.graph._operations import attribute
from estimator_slim.graph._shape_rules import Dims
from estimator_slim.graph.ahead import computed_ahead
from estimator_slim.graph.bodies import edit_bodies
from estimator_slim.graph.consumers import Consumers
from estimator_slim.graph.control_flow import inside_branches, inside_loops, reached
from estimator_slim.graph.functions import CALLS, DEEPEST, MOST_NODES, called_by, extents, reachable
from estimator_slim.graph.graph import CODED, VARIABLE_OPS, Graph, NodeDef, shared_name
from estimator_slim.graph.importing import drop_recorded_shapes, hold, imported, release
from estimator_slim.graph.inlining import inline_calls
from estimator_slim.graph.interface import INIT_SIGNATURE, Interface
from estimator_slim.graph.packed_strings import read_varint, unpacked_strings, varint
from estimator_slim.graph.renaming import rename_nodes
from estimator_slim.graph.shapes import Symbols
from estimator_slim.graph.tables import Table, gathers_rows, tables_of
from estimator_slim.graph.weight import CONSTANT_BYTES, SLICE_BYTES, Stored, Training, Weight

__all__ = [
    "CODED",
    "CALLS",
    "CONSTANT_BYTES",
    "Consumers",
    "DEEPEST",
    "Dims",
    "Graph",
    "INIT_SIGNATURE",
    "Interface",
    "MOST_NODES",
    "NodeDef",
    "SLICE_BYTES",
    "Stored",
    "Symbols",
    "Table",
    "Training",
    "VARIABLE_OPS",
    "Weight",
    "attribute",
    "attributes",
    "called_by",
    "computed_ahead",
    "drop_recorded_shapes",
    "edit_bodies",
    "extents",
    "gathers_rows",
    "hold",
    "imported",
    "inline_calls",
    "inside_branches",
    "inside_loops",
    "names",
    "operations",
    "reachable",
    "reached",
    "read_varint",
    "release",
    "rename_nodes",
    "shared_name",
    "sparse_facts",
    "tables_of",
    "unpacked_strings",
    "varint",
]
