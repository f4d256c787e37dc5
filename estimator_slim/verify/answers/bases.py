"""What an exact output is made from: found in the loaded graph, from the output backwards.

Ids, classes, rounded and printed numbers are made from floats by a few operations. Behind all that only
moves exact values, looks them up or counts them, this finds those operations:

    scores ─ TopKV2 ─ indices ─ GatherV2(vocabulary) ─ output           makes it: TopKV2

Where anything else is in between, a loop or the call of a function for one, of whose insides nothing can
be fetched, there is no telling what the output is made from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

import tensorflow as tf

CHOICES = frozenset(("ArgMax", "ArgMin", "TopK", "TopKV2"))
COMPARISONS = frozenset(("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"))
BOUNDARIES = frozenset(("LowerBound", "UpperBound"))
STEPS = COMPARISONS | BOUNDARIES | frozenset(("AsString", "Bucketize", "Cast", "Ceil", "Floor", "Rint",
                                              "Round", "Sign", "StringFormat"))
_MOVES = frozenset((
    "BroadcastTo", "ConcatV2", "EnsureShape", "ExpandDims", "Identity", "OneHot", "Pack", "Pad", "PadV2",
    "PlaceholderWithDefault", "Reshape", "Slice", "Split", "SplitV", "Squeeze", "StopGradient",
    "StridedSlice", "Tile", "Transpose", "Unpack"))
_COUNTS = frozenset((
    "Abs", "Add", "AddN", "AddV2", "All", "Any", "ClipByValue", "Div", "DivNoNan", "FloorDiv",
    "FloorMod", "LogicalAnd", "LogicalNot", "LogicalOr", "Max", "Maximum", "Mean", "Min", "Minimum",
    "Mod", "Mul", "Neg", "Prod", "RealDiv", "Select", "SelectV2", "Square", "Sub", "Sum", "TruncateDiv",
    "TruncateMod"))
_TEXTS = frozenset((
    "LookupTableFind", "LookupTableFindV2", "ReduceJoin", "RegexFullMatch", "RegexReplace",
    "StaticRegexFullMatch", "StaticRegexReplace", "StringJoin", "StringLength", "StringLower",
    "StringStrip", "StringToHashBucketFast", "StringToHashBucketStrong", "StringToNumber", "StringUpper",
    "Substr"))
_PASSES = _MOVES | _COUNTS | _TEXTS | CHOICES | STEPS  # the last two where they read what is exact
_GATHERS = frozenset(("Gather", "GatherNd", "GatherV2", "ResourceGather", "ResourceGatherNd"))
_FROM_FILE = "PyFunc"  # looks rows up, see from_files.py; its only input are the ids
_CROSSINGS = _GATHERS | {"Cast", "OneHot", _FROM_FILE}  # by which floats are made from what is exact
_STARTS = frozenset((  # what they answer is the request's, or does not go by values
    "Const", "OnesLike", "ParseExample", "ParseExampleV2", "ParseSequenceExample",
    "ParseSequenceExampleV2", "ParseSingleExample", "Rank", "Shape", "ShapeN", "Size", "ZerosLike"))
_FRAMES = frozenset(("Enter", "Exit", "Merge", "NextIteration", "Switch"))
_DEEPEST, _MOST = 100, 32  # operations on the way back from an output; makers of one output
_WIDEST = 1024  # values of a row that something before others makes


@dataclass(frozen=True, eq=False)
class Maker:
    """An operation that makes something exact from floats.

    Attributes:
      op: of the loaded graph.
      made: its output.
      before: the makers of what its floats are themselves made from.
    """

    op: tf.Operation
    made: tf.Tensor
    before: tuple[Maker, ...] = ()

    @property
    def tensors(self) -> list[tf.Tensor]:
        """What it reads, and what it makes of it."""
        return [*self.op.inputs, self.made]


@dataclass(frozen=True)
class MadeBy:
    """What there is to know of one output.

    Attributes:
      direct: its makers, which alone give it a reason to change.
      before: of other floats, the makers of what they are made from, such as a price of the best item.
    """

    direct: tuple[Maker, ...] = ()
    before: tuple[Maker, ...] = ()

    def every(self) -> list[Maker]:
        """All of them and all that are before them, each once and behind those that are before it."""
        found: dict[str, Maker] = {}

        def add(maker: Maker) -> None:
            if maker.op.name not in found:
                for one in maker.before:
                    add(one)
                found[maker.op.name] = maker

        for maker in (*self.direct, *self.before):
            add(maker)
        return list(found.values())


_Makers = Optional[tuple[Maker, ...]]


class Search:
    """Finds what the outputs of one signature are made from.

    Args:
      graph: as loaded.
      fed: names of the tensors that requests feed.
    """

    def __init__(self, graph: tf.Graph, fed: Iterable[str]) -> None:
        self._graph, self._fed = graph, frozenset(fed)
        self._known: dict[str, _Makers] = {}
        self._makers: dict[tuple, Maker] = {}

    def makers(self, tensor: tf.Tensor) -> MadeBy:
        """All that it takes to tell why `tensor` changes; none where that is not known."""
        direct = self._behind(tensor, 0)
        found = MadeBy(direct) if direct is not None else MadeBy(before=self._before([tensor], 0))
        every = found.every()
        fetchable = all(self._graph.is_fetchable(t) for maker in every for t in maker.tensors)
        return found if fetchable and len(every) <= _MOST else MadeBy()

    def _behind(self, tensor: tf.Tensor, depth: int) -> _Makers:
        """The makers of an exact tensor, or a float one that goes in steps; None where unknown."""
        if tensor.name in self._fed:
            return ()
        if tensor.name not in self._known:
            self._known[tensor.name] = self._found(tensor, depth) if depth < _DEEPEST else None
        return self._known[tensor.name]

    def _found(self, tensor: tf.Tensor, depth: int) -> _Makers:
        op = tensor.op
        if op.type in _STARTS:
            return ()
        if op.type == _FROM_FILE and not _inexact(tensor):
            return self._behind(op.inputs[0], depth + 1)
        if op.type in _GATHERS and not _inexact(tensor):
            return self._gathered(op, depth)
        if op.type in _PASSES and not (op.type in CHOICES and _inexact(tensor)):
            inner = self._behind_all(op.inputs, depth)
            return (self._maker(tensor, depth),) if inner is None and _makes(op) else inner
        return None if _inexact(tensor) or self._reads_floats(op) else ()

    def _behind_all(self, tensors: Iterable[tf.Tensor], depth: int) -> _Makers:
        found: list[Maker] = []
        for tensor in tensors:
            makers = self._behind(tensor, depth + 1)
            if makers is None:
                return None
            found += [maker for maker in makers if maker not in found]
        return tuple(found) if len(found) <= _MOST else None

    def _gathered(self, op: tf.Operation, depth: int) -> _Makers:
        """Of values gathered by ids, where the ids alone, or the values of a row alone, have makers."""
        values, ids = (self._behind(tensor, depth + 1) for tensor in op.inputs[:2])
        if values is None or ids is None or (values and not _within_rows(op)):
            return None
        return self._behind_all(op.inputs[:2], depth)

    def _reads_floats(self, op: tf.Operation) -> bool:
        """True if floats, or a function that may compute with some, have a part in what `op` makes."""
        seen, todo = set(), [op]
        while todo:
            op = todo.pop()
            if op.name in seen or op.type in _STARTS:
                continue
            seen.add(op.name)
            read = [tensor for tensor in op.inputs if tensor.name not in self._fed]
            if any(map(_inexact, read)) or _calls(op):
                return True
            todo += [tensor.op for tensor in read]
        return False

    def _maker(self, tensor: tf.Tensor, depth: int) -> Maker:
        """The maker that `tensor` comes from; one for all operations that do the same."""
        op = tensor.op
        attributes = op.node_def.attr.items()
        same = (op.type, *(one.name for one in op.inputs),
                *sorted((key, str(value)) for key, value in attributes if not key.startswith("_")))
        if same not in self._makers:
            self._makers[same] = Maker(op, tensor, self._before(op.inputs, depth))
        return self._makers[same]

    def _before(self, tensors: Iterable[tf.Tensor], depth: int) -> tuple[Maker, ...]:
        """The makers of those exact values that floats are made from; not of wide ones."""
        found: list[Maker] = []
        seen, todo = set(), deque(filter(_inexact, tensors))
        while todo:
            tensor = todo.popleft()
            if tensor.name in seen or tensor.name in self._fed or tensor.op.type in _FRAMES:
                continue
            seen.add(tensor.name)
            todo += filter(_inexact, tensor.op.inputs)
            if tensor.op.type in _CROSSINGS:
                exact = [one for one in tensor.op.inputs[:2] if not _inexact(one)]
                found += [maker for maker in self._behind_all(exact, depth) or ()
                          if maker not in found and _values_of_a_row(maker.made) <= _WIDEST]
        return tuple(found)


def _values_of_a_row(tensor: tf.Tensor) -> int:
    """How many each row has, as far as that is known."""
    return (tensor.shape[1:].num_elements() or 0) if tensor.shape.rank else 0


def _makes(op: tf.Operation) -> bool:
    """True if something exact comes of the floats that `op` reads, and it is known what it does."""
    if op.type not in CHOICES | STEPS or not any(tensor.dtype.is_floating for tensor in op.inputs):
        return False
    if op.type == "Cast":
        return not _inexact(op.outputs[0])
    return op.type not in ("ArgMax", "ArgMin") or tf.get_static_value(op.inputs[1]) is not None


def _within_rows(op: tf.Operation) -> bool:
    """True if each row of what is gathered comes from the same row of the values."""
    if op.type != "GatherV2":
        return False
    axis = tf.get_static_value(op.inputs[2])
    return bool(op.get_attr("batch_dims")) or (axis is not None and int(axis) > 0)


def _inexact(tensor: tf.Tensor) -> bool:
    return tensor.dtype.is_floating or tensor.dtype.is_complex


def _calls(op: tf.Operation) -> bool:
    return any(value.HasField("func") or value.list.func for value in op.node_def.attr.values())
