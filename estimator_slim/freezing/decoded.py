"""What slim servables hold as codes, to be left as it is when they are optimized again.

Variables that the restore op decodes, and tables whose looked-up rows scale or shift looked-up codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from estimator_slim.errors import SourceError
from estimator_slim.graph import Graph, NodeDef, Stored, Weight, attributes, names

_ARITHMETIC = ("Cast", "Mul", "AddV2", "Reshape", "Range", "RightShift", "BitwiseAnd", "GatherV2",
               "ConcatV2", "StridedSlice", "Const", "Identity")
_DECODING = ("Cast", "Mul", "ConcatV2", "BitwiseAnd", "RightShift", "StridedSlice")
_CODES = (tf.int8, tf.uint8)
_DEEPEST = 16


def decoded_weight(graph: Graph, variable: NodeDef, value: str,
                   restored: Callable[[str], Weight | None]) -> Weight | None:
    """The weight that `value`, computed from restored tensors, is when it is assigned to `variable`.

        RestoreV2 ─ Cast ─ Mul ─ AssignVariableOp(variable)

    It goes on lying in the checkpoint as the parts that it is computed from.

    Args:
      restored: tensor name → the weight that it is restored as, None for any other tensor.

    Returns None where anything but arithmetic has a part in it, or the variable's shape is not known.
    """
    shape = tf.TensorShape(variable.attr["shape"].shape)
    formula = _Formula(graph, restored)
    if not (shape.is_fully_defined() and formula.follow(value) and formula.parts):
        return None

    def read(start: int, stop: int) -> np.ndarray:
        raise SourceError(f"The values of {variable.name!r} are there as codes only, which are decoded "
                          "when the servable is loaded: optimize the original export instead.")

    return Weight(attributes.dtype(variable, "dtype").base_dtype, tuple(shape.as_list()), read,
                  stored=Stored(dict(formula.parts.values()), formula.decode(value)),
                  origin=variable.name)


def scales_codes(graph: Graph, lookup: NodeDef,
                 readers: Mapping[str, list[tuple[NodeDef, int]]]) -> bool:
    """True if the rows that `lookup` gathers do nothing but scale or shift codes of the same ids.

        codes ─ GatherV2(ids) ─ Cast ─ Mul ─ AddV2 ─ rows
        scale ─ GatherV2(ids) ────────┘       │
        offset ─ GatherV2(ids) ───────────────┘

    Args:
      readers: `graph.consumers()`.
    """
    if lookup.name in map(names.node_of, graph.interface.outputs()) or not readers.get(lookup.name):
        return False
    ids = _ids(graph, lookup)
    return all(node.op in ("Mul", "AddV2") and _ids_of_codes(graph, node.input[1 - index]) in ids
               for node, index in readers[lookup.name])


def _ids(graph: Graph, lookup: NodeDef) -> set[str]:
    """The ids that a lookup looks up, and those that it does so by their block: `ids >> bits`."""
    node = graph.producer(lookup.input[1])
    shifted = {graph.source(node.input[0])} if node.op == "RightShift" else set()
    return shifted | {graph.source(lookup.input[1])}


def _ids_of_codes(graph: Graph, tensor: str) -> str | None:
    """The ids of the looked-up codes that `tensor` is made from; None where it is not."""
    node = graph.producer(tensor)
    while node.op in _DECODING:
        node = graph.producer(node.input[0])
    is_lookup = node.op in ("Gather", "GatherV2") and attributes.dtype(node, "Tparams") in _CODES
    return graph.source(node.input[1]) if is_lookup else None


@dataclass
class _Formula:
    """How a tensor is computed: steps, each behind its inputs, and what they start from.

    Attributes:
      restored: as in `decoded_weight`.
      steps: copies of them decode the parts.
      parts: tensor → (its suffix on disk, what it is restored as).
    """

    graph: Graph
    restored: Callable[[str], Weight | None]
    steps: dict[str, NodeDef] = field(default_factory=dict)
    parts: dict[str, tuple[str, Weight]] = field(default_factory=dict)

    def follow(self, tensor: str, depth: int = 0) -> bool:
        """Collects what computes `tensor`; False where that is not arithmetic alone."""
        if tensor in self.parts or tensor in self.steps:
            return True
        if names.is_control(tensor) or depth > _DEEPEST:
            return False
        weight = self.restored(tensor)
        if weight is not None:
            suffix, taken = weight.origin.rpartition("/")[2], [s for s, _ in self.parts.values()]
            self.parts[tensor] = (f"{suffix}_{len(taken)}" if suffix in taken else suffix, weight)
            return True
        node = self.graph.nodes[names.node_of(tensor)]
        if node.op not in _ARITHMETIC or not all(
                self.follow(names.canonical(i), depth + 1) for i in node.input):
            return False
        self.steps[tensor] = node
        return True

    def decode(self, value: str) -> Callable[..., str]:
        def add(target: Graph, name: str, tensors: dict[str, str]) -> str:
            renamed = {tensor: tensors[suffix] for tensor, (suffix, _) in self.parts.items()}
            for tensor, step in self.steps.items():
                copy = NodeDef()
                copy.CopyFrom(step)
                copy.name = target.unique(f"{name}/{len(renamed)}")
                copy.input[:] = [renamed[names.canonical(i)] for i in step.input]
                target.nodes[copy.name] = copy
                renamed[tensor] = copy.name
            return renamed[value]
        return add
