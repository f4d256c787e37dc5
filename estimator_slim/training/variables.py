"""The variables of a training graph: their values in the checkpoint, what changes them, their start."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from estimator_slim.freezing import ASSIGN_OPS, Handles
from estimator_slim.graph import (
    CALLS,
    VARIABLE_OPS,
    Consumers,
    Graph,
    NodeDef,
    Weight,
    names,
    operations,
)
from estimator_slim.training.starts import start_of
from estimator_slim.training.unknown import Unknown

_GATHERS = ("ResourceGather", "ResourceGatherNd", "Gather", "GatherV2", "GatherNd")
_PASS_ON = ("Identity", "ReadVariableOp", "Enter", "Switch", "RefSwitch", "ConcatV2")
_HARMLESS = ("VarIsInitializedOp", "IsVariableInitialized", "DisableCopyOnRead", "ReadVariableOp",
             "SaveV2", "Save", "SaveSlices")


class Variables:
    """The variables of a graph as training had it.

    Attributes:
      graph: with everything that training ran.
      saved: variable node → its value in the checkpoint.
    """

    def __init__(self, graph: Graph, saved: Mapping[str, Weight], restore_op: str) -> None:
        """`restore_op`: the node by which the saver restores, which does not count as a change."""
        self.graph = graph
        self.saved = saved
        self._restoring = graph.ancestors([restore_op])
        self._consumers = Consumers(graph)
        self._handles = Handles(graph)

    def starts_and_updates(self, variable: str) -> tuple[list[NodeDef], list[NodeDef]]:
        """The operations that set a variable to something, and all others that change it.

        Raises:
          Unknown: it is passed to where it cannot be followed.
        """
        starts: list[NodeDef] = []
        updates: list[NodeDef] = []
        for node, index, function in self._writers(variable):
            if node.name in self._restoring or node.op in _HARMLESS:
                continue
            if function or (index and "Apply" not in node.op):
                where = f" of the function {function!r}" if function else ""
                raise Unknown(f"{node.op} ({node.name!r}{where}) may change it, and how is not known")
            (starts if node.op in ASSIGN_OPS else updates).append(node)
        return starts, updates

    def _writers(self, variable: str) -> list[tuple[NodeDef, int, str]]:
        holder = self.graph.nodes[variable]
        if holder.op == "VarHandleOp":
            return list(self._handles.writers(variable))
        return [(node, index, "") for node, index in self._consumers.of_node(variable)
                if not operations.takes_values(node)]

    def start(self, variable: str) -> np.ndarray:
        """What a variable starts from, as `start_of`; [2] or more for one of several constants.

        Raises:
          Unknown: it is set to anything but random numbers or a constant.
        """
        starts, _ = self.starts_and_updates(variable)
        found = [start_of(self.graph, node.input[1]) for node in starts]
        if not found:
            raise Unknown("nothing in the graph sets it, so what it started from is not known")
        return found[0] if len({value.tobytes() for value in found}) == 1 else np.concatenate(
            [np.atleast_1d(value) for value in found])

    def constant(self, tensor: str) -> float:
        """A number that the graph has as a constant, or as a variable that nothing changes.

        Raises:
          Unknown: it is neither.
        """
        node = self.graph.producer(tensor)
        if node.op == "ReadVariableOp" or node.op in VARIABLE_OPS:
            name = names.node_of(self.graph.source(node.input[0])) if node.input else node.name
            weight = self.saved.get(name)
            if weight is None or weight.shape or self.starts_and_updates(name)[1]:
                raise Unknown(f"the factor {name!r} changes during training")
            return float(weight.read(0, 1)[0])
        value = start_of(self.graph, tensor)
        if value.ndim:
            raise Unknown(f"the factor {node.name!r} is random")
        return float(value)

    def has_rows(self, variable: str) -> bool:
        """True if training gathered rows of a variable, or the graph does not have it."""
        todo, seen = [variable], set()
        while todo:
            name = todo.pop()
            for node, _ in self._consumers.of_node(name):
                if node.op in _GATHERS or node.op in CALLS:
                    return True
                if node.op in _PASS_ON and node.name not in seen:
                    seen.add(node.name)
                    todo.append(node.name)
        return variable not in self.graph.nodes

    def other_parts(self, variable: str) -> list[str]:
        """The other parts of a partitioned variable: of `table/part_0`, `table/part_1` and so on."""
        whole, _, part = variable.rpartition("/part_")
        return [name for name in self.saved if name != variable and whole and part.isdecimal()
                and re.fullmatch(re.escape(f"{whole}/part_") + r"\d+", name)]

    def beside(self, variable: str) -> list[str]:
        """The variables named after this one, of its shape: `table/Adagrad`, `training/Adam/table/m`."""
        shape = self.saved[variable].shape
        return [name for name, weight in self.saved.items()
                if name != variable and weight.shape == shape and f"/{variable}/" in f"/{name}"]
