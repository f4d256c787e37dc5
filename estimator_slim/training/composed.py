"""Updates that are composed of several operations: Adam, Nadam, Adamax and RMSprop for some rows.

    m   ← m * beta1;  m[ids] += (1 - beta1) * g        m   ← AssignVariableOp, ResourceScatterAdd
    table -= rate * m / (sqrt(v) + epsilon)            table ← AssignSubVariableOp

A variable named after the table is a slot of it if the graph shows that the table cannot move without
it: the same ids go to both, or what is subtracted from the table is zero where the slot is.
"""

from __future__ import annotations

from collections.abc import Iterator

from estimator_slim.freezing import ASSIGN_OPS
from estimator_slim.graph import NodeDef, names
from estimator_slim.training.slots import Slot, Update
from estimator_slim.training.starts import start_of
from estimator_slim.training.unknown import Unknown
from estimator_slim.training.variables import Variables

_BY_ROW = tuple(f"{kind}Scatter{what}" for kind in ("", "Resource") for what in ("Add", "Sub", "Update"))
_WHOLE = ("AssignSub", "AssignAdd", "AssignSubVariableOp", "AssignAddVariableOp")
# Operation → the inputs of which one that is zero makes the result zero.
_ZERO = {"Identity": (0,), "Mul": (0, 1), "RealDiv": (0,), "Div": (0,), "DivNoNan": (0,), "Neg": (0,)}
_SQUARES = ("v", "rms", "Adam_1")  # names of slots that hold squares of gradients


def composed(variables: Variables, variable: str, node: NodeDef) -> Update:
    """What the update of `variable` that ends in `node` leaves.

    Raises:
      Unknown: it leaves nothing that is certain.
    """
    beside = variables.beside(variable)
    if node.op in _BY_ROW:
        rows = {_rows(variables, node)}
        found = [slot for slot in beside if rows & set(_written_rows(variables, slot))]
    elif node.op in _WHOLE:
        found = [slot for slot in beside if _zero_with(variables, node.input[1], slot)]
        rows = {row for slot in found for row in _written_rows(variables, slot)}
        found += [slot for slot in beside if slot not in found
                  and rows & set(_written_rows(variables, slot))]
    else:
        raise Unknown(f"{node.op} ({node.name!r}) changes it, of which it is not known what it leaves")
    found += [slot for slot in beside if slot not in found and _largest(variables, slot, found)]
    if not found:
        raise Unknown("its optimizer keeps nothing that would show which rows were trained (plain "
                      f"gradient descent, or one that is not known: {node.op} {node.name!r})")
    return Update(node.name, [_slot(variables, slot) for slot in found])


def _rows(variables: Variables, node: NodeDef) -> str:
    return variables.graph.source(node.input[1])


def _written_rows(variables: Variables, slot: str) -> Iterator[str]:
    """The tensors of ids at which something is written into the slot."""
    for node in variables.starts_and_updates(slot)[1]:
        if node.op in _BY_ROW:
            yield _rows(variables, node)


def _zero_with(variables: Variables, tensor: str, slot: str) -> bool:
    """True if `tensor` is zero wherever `slot` is."""
    todo, seen = [tensor], set()
    while todo:
        name = names.node_of(todo.pop())
        node = variables.graph.nodes[name]
        if _reads(variables, node, slot):
            return True
        if name not in seen:
            seen.add(name)
            todo += [node.input[i] for i in _ZERO.get(node.op, ())]
    return False


def _reads(variables: Variables, node: NodeDef, slot: str) -> bool:
    """True if `node` gives the value of the slot, or rows of it; so do updates of references."""
    reads = node.name == slot or node.op in ("ReadVariableOp", "ResourceGather", "Gather", "GatherV2",
                                             "ScatterAdd", "ScatterUpdate", "Assign", "Identity")
    return reads and (node.name == slot or bool(node.input)
                      and names.node_of(variables.graph.source(node.input[0])) == slot)


def _largest(variables: Variables, slot: str, of: list[str]) -> bool:
    """True if the slot keeps the largest value that one of the slots `of` ever had."""
    starts, updates = variables.starts_and_updates(slot)
    kept = [variables.graph.producer(node.input[1]) for node in starts]
    kept = [node for node in kept if node.op == "Maximum"]
    return not updates and len(kept) == 1 and all(
        any(_reads(variables, variables.graph.producer(i), one) for i in kept[0].input[:2])
        for one in (slot, *of[-1:]))


def _slot(variables: Variables, slot: str) -> Slot:
    starts, updates = variables.starts_and_updates(slot)
    factors, start = [], None
    for node in [*starts, *updates]:
        factor = _factor(variables, node, slot)
        if factor is not None:
            factors.append(factor)
        elif node in starts and variables.graph.producer(node.input[1]).op != "Maximum":
            start = start_of(variables.graph, node.input[1])
    if start is None or start.ndim:
        raise Unknown(f"it is not known what the optimizer's slot {slot!r} started from")
    return Slot(variables.saved[slot], start, min(factors, default=None),
                squares=slot.rpartition("/")[2] in _SQUARES)


def _factor(variables: Variables, node: NodeDef, slot: str) -> float | None:
    """The factor by which `node` makes the slot smaller; None where it does not."""
    if node.op in _BY_ROW and not node.op.endswith("Update"):
        added = names.node_of(node.input[2])
        if slot in variables.graph.ancestors([added]):
            raise Unknown(f"{node.op} ({node.name!r}) changes the slot {slot!r} by what it was")
        return None
    if node.op not in ASSIGN_OPS and not node.op.endswith("ScatterUpdate"):
        raise Unknown(f"{node.op} ({node.name!r}) changes the slot {slot!r}, which is not understood")
    value = variables.graph.producer(node.input[2 if node.op not in ASSIGN_OPS else 1])
    for term in [value, *(variables.graph.producer(i) for i in value.input[:2]
                          if value.op in ("Add", "AddV2", "Maximum"))]:
        if term.op == "Mul":
            for index in (0, 1):
                if _reads(variables, variables.graph.producer(term.input[index]), slot):
                    return variables.constant(term.input[1 - index])
    if node.op in ASSIGN_OPS:
        return None
    raise Unknown(f"{node.op} ({node.name!r}) sets the slot {slot!r}, which is not understood")
