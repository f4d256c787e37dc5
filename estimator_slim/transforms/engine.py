"""Runs a transform in TensorFlow's own Graph Transform Tool engine, with its faults mended around it.

The engine knows a graph with inputs and outputs and nothing of SavedModels: given all of one it turns
fed nodes into plain placeholders, loses table initialisers, fails on NoOp outputs (the init op) and
forgets the versions and the function library. So it gets only the part between what signatures feed
or loading runs and what signatures fetch: every tensor that enters that part is cut to a placeholder,
and the part that comes back is joined to the untouched rest at the same tensors.

Engine: tensorflow/tools/graph_transforms (kept in the TensorFlow wheels up to 2.15).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.python.util import _pywrap_transform_graph as _engine

from estimator_slim.errors import OptionError, TransformError
from estimator_slim.graph import Graph, NodeDef, attribute, attributes, names, operations
from estimator_slim.transforms.base import Skip, Transform

_FOLDED = re.compile(r"(?P<base>.*?)(/_\d+)?__cf__\d+$")


@dataclass(frozen=True)
class NativeTransform(Transform):
    """A transform that the engine does, told by its text form.

    Attributes:
      whole: it looks at each node by itself, so the engine is given the whole graph.
    """

    by: ClassVar[str] = "engine"
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, text in self._options():
            if '"' in text or "\\" in text:
                raise OptionError(f"{self.text_name}({option}=...) cannot hold a double quote or a "
                                  f"backslash, which the engine's parser does not take; got {text!r}")

    def rewrite(self, graph: Graph) -> Iterable[Skip] | None:
        (run_whole if self.whole else run_between)(graph, self.engine_text())
        return ()

    def engine_text(self) -> str:
        """What the engine is told; its parser knows no quotes but these, and few signs without them."""
        options = ", ".join(f'{option}="{text}"' for option, text in self._options())
        return f"{self.text_name}({options})" if options else self.text_name

    def _options(self) -> Iterator[tuple[str, str]]:
        """(name, value) of each option that is not at its default."""
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name != "ignore_errors" and value != option.default:
                for one in value if isinstance(value, tuple) else (value,):
                    yield option.name, str(one).lower() if isinstance(one, bool) else str(one)


@contextlib.contextmanager
def hidden(graph: Graph, hide: Iterable[str]) -> Iterator[None]:
    """Hides nodes from the engine: while the block runs they are operations that it has no rule for.

    Args:
      graph: edited in place.
      hide: names of nodes with one output.
    """
    originals = {name: NodeDef.FromString(graph.nodes[name].SerializeToString()) for name in hide}
    for name, node in originals.items():
        count = len(names.data_inputs(node))
        graph.nodes[name].op = {1: "PreventGradient", 2: "SquaredDifference"}.get(count, "AddN")
    yield
    for name, original in originals.items():
        if name in graph.nodes:
            original.input[:] = graph.nodes[name].input
            graph.nodes[name] = original


def run_whole(graph: Graph, text: str) -> None:
    """Runs a transform that looks at each node by itself over the whole graph."""
    roots = graph.interface.roots()
    graph.nodes = {n.name: n for n in _run(graph, graph.nodes.values(), [], roots, text)}


def run_between(graph: Graph, text: str) -> None:
    """Runs a transform over the part of the graph that answers requests; the rest stays as it is."""
    interface = graph.interface
    fed = {names.node_of(t) for t in interface.inputs()}
    rest = graph.ancestors(fed.union(interface.load_roots()))
    fetched = sorted({names.node_of(t) for t in interface.outputs()} - rest)
    between = graph.ancestors(fetched) - rest
    part = [node for name, node in graph.nodes.items() if name in between]
    if not part:
        return
    cut, placeholders = _cut(graph, part, rest)
    inputs = [node.name for node in placeholders if node.op == "Placeholder"]
    result = _run(graph, [*placeholders, *part], inputs, fetched, text)
    after = {node.name: node for node in _name_folded(_join(result, cut), graph.nodes)}
    after.update((name, node) for name, node in graph.nodes.items() if name in rest)
    graph.nodes = {name: after[name] for name in (*graph.nodes, *after) if name in after}


def _cut(graph: Graph, part: list[NodeDef], rest: set[str]) -> tuple[dict[str, str], list[NodeDef]]:
    """Gives the part placeholders for what enters it; returns placeholder → tensor, and them."""
    entering: dict[str, str] = {}
    for node in part:
        for index, tensor in enumerate(node.input):
            name, port = names.split(tensor)
            if name in rest:
                stand_in = {0: name, -1: f"{name}/cut_control"}.get(port, f"{name}/cut_{port}")
                entering[stand_in] = names.canonical(tensor)
                node.input[index] = ("^" if port < 0 else "") + stand_in
    functions = graph.functions()
    return entering, [_placeholder(name, graph.nodes[names.node_of(t)], names.split(t)[1], functions)
                      for name, t in entering.items()]


def _placeholder(name: str, original: NodeDef, port: int,
                 functions: Mapping[str, FunctionDef]) -> NodeDef:
    """What stands for output `port` of `original`: a placeholder; for a reference, a variable."""
    node = NodeDef(name=name, op="Placeholder")
    dtype = tf.float32 if port < 0 else operations.output_types(original, functions)[port]
    attributes.put(node, "dtype", dtype)
    if original.op.startswith("Placeholder"):
        attributes.put(node, "shape", attribute(original, "shape"))
    elif port >= 0 and operations.makes_references(original.op):
        node.op = "VariableV2"
        attributes.put(node, "shape", tf.TensorShape(None))
    return node


def _run(graph: Graph, nodes: Iterable[NodeDef], inputs: list[str], outputs: list[str],
         text: str) -> list[NodeDef]:
    nodes = list(nodes)
    attributes.spell_unset(nodes)
    graph_def = tf.compat.v1.GraphDef(node=nodes, library=graph.library, versions=graph.versions)
    try:
        data = _engine.TransformGraphWithStringInputs(
            graph_def.SerializeToString(deterministic=True), ",".join(inputs).encode(),
            ",".join(outputs).encode(), text.encode())
    except Exception as e:
        raise TransformError(f"the Graph Transform Tool's engine failed: {e}") from e
    return list(tf.compat.v1.GraphDef.FromString(data).node)


def _join(result: list[NodeDef], cut: dict[str, str]) -> list[NodeDef]:
    """Takes the placeholders out again and points what read them at the tensors they stood for."""
    for node in result:
        for index, name in enumerate(node.input):
            stand_in = names.node_of(name)
            tensor = cut.get(stand_in, names.canonical(name))
            node.input[index] = (f"^{names.node_of(tensor)}"
                                 if names.is_control(name) and stand_in in cut else tensor)
    return [node for node in result if node.name not in cut]


def _name_folded(result: list[NodeDef], before: dict[str, NodeDef]) -> list[NodeDef]:
    """Renames the engine's folded constants, which it counts over the life of the process."""
    taken = {node.name for node in result}.union(before)
    renamed = {}
    for node in result:
        found = _FOLDED.match(node.name)
        if found and node.name not in before:
            new = base = f"{found['base']}/folded"
            count = 0
            while new in taken:
                count += 1
                new = f"{base}_{count}"
            taken.add(new)
            renamed[node.name], node.name = new, new
    for node in result:
        for index, name in enumerate(node.input):
            source, port = names.split(name)
            if source in renamed:
                node.input[index] = (f"^{renamed[source]}" if port < 0
                                     else names.tensor(renamed[source], port))
    return result
