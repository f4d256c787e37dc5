"""Control edges that wait for nothing, taken out.

Functions and Keras layers make their outputs wait for each read of a variable. Once the variables are
weights, such an edge orders nothing and only keeps transforms away from the nodes it hangs on.
"""

from __future__ import annotations

from estimator_slim.graph import Graph, NodeDef, names, operations, reached, shared_name

_HANDLES = ("VarHandleOp", "HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2")
_LOOKUPS = ("LookupTableFind", "LookupTableFindV2", "LookupTableSize", "LookupTableSizeV2")
_LOOKUP_CHANGES = ("LookupTableInsert", "LookupTableRemove", "LookupTableImport")
_WEIGHT_READS = ("ReadVariableOp", "ResourceGather", "ResourceGatherNd")
_PASSING = ("Const", "NoOp", "Identity", "IdentityN", "Placeholder")
_ORDERED = ("Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit",
            "NextIteration", "RefNextIteration", "LoopCond", "CheckNumerics", "EnsureShape")


def drop_idle_controls(graph: Graph) -> None:
    """Drops every control edge on a node that neither does nor waits for anything to be waited for.

        Before: Const(kernel) ─ ^Identity(y),  MatMul ─ Identity(y)         After: MatMul ─ Identity(y)
    """
    waits = [name for node in graph.nodes.values() for name in names.control_inputs(node)]
    if not waits:
        return
    acting = _acting(graph)
    idle = {name for name in waits if name[1:] not in acting and _is_harmless(graph.nodes[name[1:]])}
    for node in graph.nodes.values():
        if any(name in idle for name in node.input):
            node.input[:] = [name for name in node.input if name not in idle]


def _is_harmless(node: NodeDef) -> bool:
    return node.op in (*_HANDLES, *_LOOKUPS, *_WEIGHT_READS, *_PASSING)


def _acting(graph: Graph) -> set[str]:
    """The nodes that do something, and all that depend on them."""
    tables_change = any(node.op.startswith(_LOOKUP_CHANGES) for node in _asked(graph))
    acting = [n.name for n in graph.nodes.values() if _acts(graph, n, tables_change)]
    return reached(graph, acting).union(acting)


def _asked(graph: Graph) -> list[NodeDef]:
    """The nodes that answering a request runs."""
    asked = graph.ancestors(names.node_of(t) for t in graph.interface.outputs())
    return [graph.nodes[name] for name in asked]


def _acts(graph: Graph, node: NodeDef, tables_change: bool) -> bool:
    if node.op in _ORDERED:
        return True
    if node.op in _LOOKUPS:
        return tables_change
    if node.op in _WEIGHT_READS:
        weight = graph.weights.get(shared_name(graph.producer(node.input[0])))
        return weight is None or weight.mutable
    return node.op not in _HANDLES and _is_stateful(node.op)


def _is_stateful(op: str) -> bool:
    """True also for what takes a reference: Assign and InitializeTable are not declared stateful."""
    return (not operations.is_registered(op) or operations.is_stateful(op)
            or operations.takes_references(op))
