"""Changes of nodes, in the ways that a graph can be wrong in."""

from __future__ import annotations

import random
from typing import Any

from tests.hostile.proto_mutations import NUMBERS, TEXTS, mutate_proto

OPS = ["Identity", "Const", "Placeholder", "NoOp", "Relu", "MatMul", "Merge", "NextIteration", "Enter",
       "Exit", "Switch", "VarHandleOp", "ReadVariableOp", "VariableV2", "GatherV2", "Reshape", "Pack",
       "StridedSlice", "ConcatV2", "PartitionedCall", "StatefulPartitionedCall", "If", "While", "Shape",
       "Cast", "Unique", "Where", "Select", "RestoreV2", "AssignVariableOp", "ParseExampleV2", "Abort"]


def mutate_nodes(nodes: Any, rng: random.Random) -> str:
    """Changes one of `nodes`, a repeated NodeDef; returns which and how."""
    return rng.choice(_KINDS)(nodes, rng)


def _drop(nodes: Any, rng: random.Random) -> str:
    at = rng.randrange(len(nodes))
    name = nodes[at].name
    del nodes[at]
    return f"node {name} dropped"


def _duplicate(nodes: Any, rng: random.Random) -> str:
    node = nodes.add()
    node.CopyFrom(rng.choice(nodes[:-1]))
    if rng.random() < 0.5:
        node.name += "_again"
    return f"node {node.name} duplicated"


def _rename(nodes: Any, rng: random.Random) -> str:
    node = rng.choice(nodes)
    node.name = rng.choice((*TEXTS, rng.choice(nodes).name))
    return f"node renamed {node.name!r}"


def _swap_ops(nodes: Any, rng: random.Random) -> str:
    a, b = rng.choice(nodes), rng.choice(nodes)
    a.op, b.op = b.op, a.op
    return f"ops of {a.name} and {b.name} swapped"


def _other_op(nodes: Any, rng: random.Random) -> str:
    node = rng.choice(nodes)
    node.op = rng.choice((*OPS, rng.choice(nodes).op, "NoSuchOp"))
    return f"{node.name} is {node.op}"


def _rewire(nodes: Any, rng: random.Random) -> str:
    node = rng.choice([n for n in nodes if n.input] or nodes)
    if not node.input:
        return "nothing"
    source = rng.choice(nodes).name
    new = rng.choice((source, source, source, f"^{source}", f"{source}:1",
                      f"{source}:{rng.choice(NUMBERS)}", rng.choice(TEXTS), node.name))
    at = rng.randrange(len(node.input))
    how = rng.choice(("replace", "replace", "drop", "repeat", "add"))
    if how == "replace":
        node.input[at] = new
    elif how == "drop":
        del node.input[at]
    else:
        node.input.append(node.input[at] if how == "repeat" else new)
    return f"{how} input {at} of {node.name}: {new!r}"


def _reattribute(nodes: Any, rng: random.Random) -> str:
    node = rng.choice([n for n in nodes if n.attr] or nodes)
    if not node.attr:
        return "nothing"
    key = rng.choice(sorted(node.attr))
    how = rng.choice(("drop", "other", "inside", "inside"))
    if how == "drop":
        del node.attr[key]
    elif how == "other":
        other = rng.choice([n for n in nodes if n.attr])
        node.attr[key].CopyFrom(other.attr[rng.choice(sorted(other.attr))])
    else:
        return f"{node.name}.{key}: {mutate_proto(node.attr[key], rng)}"
    return f"{how} {key} of {node.name}"


_KINDS = [_drop, _duplicate, _rename, _swap_ops, _other_op, _rewire, _rewire, _rewire,
                _reattribute, _reattribute, _reattribute]
