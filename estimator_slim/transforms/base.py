"""What every transform is: options checked at construction, and a pure Graph → Graph.

A subclass is a frozen dataclass; its fields are its options, under the names that the text form
uses. It implements `rewrite`, which edits a private copy in place and returns what there is to tell:
what it left alone (Skip) and what it made of single weights (Treatment). `apply` makes that copy, prunes
what the edit left unused and checks that TensorFlow accepts the result.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Union

from estimator_slim.errors import OptionError, TransformError
from estimator_slim.graph import Graph, Weight, edit_bodies, imported
from estimator_slim.report import Treatment
from estimator_slim.transforms.bounds import COARSE, LOSSLESS, Bounds

BARE = re.compile(r"[^\s,()\"'=]+")  # a value that needs no quotes


@dataclass(frozen=True)
class Skip:
    """A node that a transform could have changed and left alone, and why."""

    node: str
    reason: str


Told = Union[Skip, Treatment]


def treatment_of(name: str, weight: Weight, parts: Iterable[Weight], **more: Any) -> Treatment:
    """What became of the weight that the node `name` holds.

    Args:
      name: the node.
      weight: as it was.
      parts: all that is stored for it afterwards.
      more: fields of Treatment.
    """
    return Treatment(name, tuple(weight.shape), weight.dtype.name, weight.byte_count,
                     sum(part.byte_count for part in parts), weight.origin, **more)


@dataclass(frozen=True)
class Transform:
    """The parent of all transforms.

    Attributes:
      text_name: the name in a transform list.
      lossy: True if the answers of the servable may change.
      by: `engine`, TensorFlow's own; `mended`, the engine with faults mended around it; or `ours`.
      enters_functions: it also edits the bodies of loops, branches and other functions in the library.
      reads_checkpoint: it needs to know what training left of each row (`Weight.training`).
      ignore_errors: a failure leaves the graph as it was instead of ending the optimization.
    """

    text_name: ClassVar[str]
    lossy: ClassVar[bool] = False
    by: ClassVar[str]
    enters_functions: ClassVar[bool] = False
    reads_checkpoint: ClassVar[bool] = False
    ignore_errors: bool = False

    def __post_init__(self) -> None:
        types = option_types(type(self))
        for option in dataclasses.fields(self):
            value, kind = getattr(self, option.name), types[option.name]
            if kind in KINDS and not is_a(value, kind):
                raise OptionError(f"{self.text_name}({option.name}=...) takes {KINDS[kind]}, got "
                                  f"{value!r}")

    def apply(self, graph: Graph) -> tuple[Graph, list[Told]]:
        """The transformed graph, and what there is to tell; `graph` itself is not touched.

        Raises:
          TransformError: the transform failed, or TensorFlow does not accept what it made.
        """
        edited = graph.copy()
        try:
            told = self._edit(edited)
            edited.prune()
            if self.enters_functions:
                told += [_inside(function, one)
                         for function, inside in edit_bodies(edited, self._edit) for one in inside]
                edited.prune()
            if not _is_as_before(edited, graph):
                check(edited)
        except Exception as e:
            if self.ignore_errors:
                return graph, [Skip("", f"ignored error: {e}")]
            if isinstance(e, TransformError):
                raise
            raise TransformError(f"{type(e).__name__}: {e}") from e
        return edited, told

    def _edit(self, graph: Graph) -> list[Told]:
        return list(self.rewrite(graph) or ())

    @property
    def bounds(self) -> Bounds:
        """How far answers may be off after it."""
        return COARSE if self.lossy else LOSSLESS

    def rewrite(self, graph: Graph) -> Iterable[Told] | None:
        """Edits `graph` in place; returns what there is to tell (None: nothing).

        That is a Skip for what it left alone and a Treatment for each weight that it changed.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        """The text form, `name(option=value, ...)` with the options that are not at their default."""
        options = ", ".join(f"{f.name}={_text(one)}" for f in dataclasses.fields(self)
                            if getattr(self, f.name) != f.default
                            for one in _each(getattr(self, f.name)))
        return f"{self.text_name}({options})" if options else self.text_name


def option_types(kind: type[Transform]) -> Mapping[str, Any]:
    """Name → type of each field of a transform; they are spelt as texts, which take long to read."""
    if kind not in _TYPES:
        _TYPES[kind] = typing.get_type_hints(kind)
    return _TYPES[kind]


_TYPES: dict[Any, Mapping[str, Any]] = {}


def _is_as_before(edited: Graph, graph: Graph) -> bool:
    """True where TensorFlow, which accepted `graph`, is shown nothing new."""
    return (edited.interface is graph.interface and edited.nodes == graph.nodes
            and edited.library == graph.library)


def _inside(function: str, told: Told) -> Told:
    """What is told of the body of a function, with the function's name."""
    if isinstance(told, Skip):
        return Skip(f"{function}: {told.node}", told.reason)
    return replace(told, weight=f"{function}: {told.weight}")


KINDS = {bool: "true or false", int: "an integer", float: "a number",
         typing.Optional[float]: "a number", str: "a text", tuple[str, ...]: "texts"}


def is_a(value: object, kind: object) -> bool:
    """True if `value` is what an option of type `kind` takes."""
    if kind == tuple[str, ...]:
        return isinstance(value, tuple) and all(isinstance(v, str) for v in value)
    if kind == typing.Optional[float] and value is None:
        return True
    if kind in (float, typing.Optional[float]):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return type(value) is kind


def _each(value: object) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    if BARE.fullmatch(text):
        return text
    quote = "'" if '"' in text else '"'
    if quote in text:
        raise OptionError(f"{text!r} has both kinds of quotes, which no transform list can spell")
    return f"{quote}{text}{quote}"


def check(graph: Graph) -> None:
    """Raises TransformError unless TensorFlow can build `graph` and every promised tensor is in it."""
    missing = [name for name in graph.interface.roots() if name not in graph.nodes]
    if missing:
        raise TransformError(f"the node {missing[0]!r}, which a signature or the loader needs, is "
                             "gone from the graph")
    try:
        built = imported(graph.graph_def())
    except ValueError as e:
        raise TransformError(f"the graph is not valid any more: {e}") from e
    for tensor in graph.interface.inputs() + graph.interface.outputs():
        built.as_graph_element(tensor if ":" in tensor else f"{tensor}:0")
