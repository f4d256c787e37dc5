"""Ways to ask a signature, for an original that refuses to be asked in the usual one.

A graph does not tell all that it asks of its inputs: that a row has one value, that floats are ids, how
wide a tensor is of which the signature says nothing. What is not told is tried. Each kind of change
gives a few ways that differ from another in one thing; ways with one change come first, then those with
two or three. Which way is right is for the original to say: the one that it answers best.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from estimator_slim.verify.questions.cases import BELOW, IDS_KNOWN, UNIT, WHOLE
from estimator_slim.verify.questions.composites import Composite, composites
from estimator_slim.verify.questions.domain import Domains
from estimator_slim.verify.questions.parsers import Feature
from estimator_slim.verify.questions.served_inputs import ServedInput

_MOST_WAYS, _MOST_CHANGES = 160, 3
_MOST_SHAPES = 24
_FEW = 3  # features, of which every combination is tried
_IMAGE = 32  # height and width


@dataclass(frozen=True)
class Taken:
    """What a signature takes: sparse and ragged tensors in parts, and single inputs."""

    composites: Sequence[Composite]
    single: Sequence[ServedInput]

    @classmethod
    def of(cls, inputs: Sequence[ServedInput], domains: Domains) -> Taken:
        """The inputs, with those together that are parts of one tensor."""
        found = composites(inputs, domains.consumers)
        parts = {part.key for one in found for part in one.parts()}
        single = cls(found, [one for one in inputs if one.key not in parts])
        return single.each(lambda one: replace(one, shape=_image(one, domains) or one.shape))

    def rows(self) -> int:
        """How many rows a request has where the inputs say how many."""
        return max([one.shape[0] or 1 for one in self.single if one.shape], default=1)

    def each(self, change: Callable[[ServedInput], ServedInput]) -> Taken:
        """The same with every single input changed."""
        return replace(self, single=[change(one) for one in self.single])

    def features(self, change: Callable[[Feature], Feature]) -> Taken:
        """The same with every feature changed."""
        return self.each(lambda one: replace(one, features=tuple(map(change, one.features))))


@dataclass(frozen=True)
class Way:
    """One way to ask a signature.

    Attributes:
      taken: what its inputs are taken to be.
      case: fields of every Case that have other values than usual.
      said: what is other than usual, in words; nothing for the usual way.
    """

    taken: Taken
    case: Mapping[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def but(self, said: str, taken: Taken | None = None, **case: Any) -> Way:
        """The way with one more change."""
        return Way(taken or self.taken, {**self.case, **case}, (*self.said, said))


_Kind = Callable[[Way, Domains], Iterator[Way]]


def ways(taken: Taken, domains: Domains) -> Iterator[Way]:
    """Ways that differ from the usual one, those that differ least first; some may be the same."""
    usual = Way(taken)
    found = (way for count in range(1, _MOST_CHANGES + 1)
             for kinds in itertools.combinations(_KINDS, count)
             for way in _changed(usual, kinds, domains))
    return itertools.islice(found, _MOST_WAYS)


def narrowed(way: Way, usual: Taken) -> Iterator[dict[Feature, Feature]]:
    """{the feature in this way: as it usually is} for each of several features that it narrows."""
    before = {(f.place, f.key): f for one in usual.single for f in one.features}
    after = [f for one in way.taken.single for f in one.features]
    for narrow in after if len(after) > 1 else ():
        wide = before.get((narrow.place, narrow.key), narrow)
        if wide != narrow:
            yield {narrow: wide}


def with_features(way: Way, others: Mapping[Feature, Feature]) -> Way:
    """The way with other features in the place of some."""
    return replace(way, taken=way.taken.features(lambda feature: others.get(feature, feature)))


def _changed(way: Way, kinds: Sequence[_Kind], domains: Domains) -> Iterator[Way]:
    if not kinds:
        yield way
    for changed in kinds[0](way, domains) if kinds else ():
        yield from _changed(changed, kinds[1:], domains)


def _shapes(way: Way, domains: Domains) -> Iterator[Way]:
    """For inputs of which nothing says their shape: such as what is behind them takes."""
    unknown = [one for one in way.taken.single if one.any_shape and not one.is_sparse]
    choices = [list(_shapes_of(one, domains)) for one in unknown]
    every = sorted(itertools.product(*map(range, map(len, choices))), key=sum) if unknown else []
    for chosen in every[:_MOST_SHAPES]:
        shapes = {one.key: those[n] for one, those, n in zip(unknown, choices, chosen)}
        yield way.but(f"inputs of the shapes {shapes}", _of_shapes(way.taken, shapes))


def _of_shapes(taken: Taken, shapes: Mapping[str, tuple[int | None, ...]]) -> Taken:
    return taken.each(lambda one: replace(one, shape=shapes.get(one.key, one.shape)))


def _shapes_of(one: ServedInput, domains: Domains) -> Iterator[tuple[int | None, ...]]:
    sizes, channels = domains.sizes([one.tensor])
    if channels:
        yield from ((_IMAGE, _IMAGE, size) for size in channels)
        return
    yield from ((None, size) for size in sizes)
    yield from ((None, 1), (), (None, None))
    yield from ((size,) for size in sizes)
    yield from ((None, _IMAGE, size) for size in sizes)


def _image(one: ServedInput, domains: Domains) -> tuple[int | None, ...]:
    """Of an input of any shape that convolutions read: TensorFlow's may crash on fewer dimensions."""
    channels = domains.sizes([one.tensor])[1] if one.any_shape else ()
    return (None, _IMAGE, _IMAGE, channels[0]) if channels else ()


def _values(way: Way, domains: Domains) -> Iterator[Way]:
    """Where a row may have any number of values: one, or as many as a size behind them says."""
    taken = way.taken
    read = [*(one.values for one in taken.composites),
            *(one for one in taken.single if any(f.any_length for f in one.features)
              or (one.is_sparse and None in one.shape[1:]))]
    if read:
        inner = [f.tensor for one in read for f in one.features]
        sizes, _ = domains.sizes([*inner, *(one.tensor for one in read)])
        for count in dict.fromkeys((1, *sizes)):
            yield way.but(f"{count} value{'s' * (count != 1)} in each row", _of_values(taken, count))
        for count in sizes:
            yield way.but(f"sparse tensors of {count} columns", _of_columns(taken, count))
        for counts in _different_counts(taken, domains):
            said = " and ".join(f"{count} in {f.key!r}" for f, count in counts.items())
            yield way.but(f"values in each row as many as {said}", taken.features(
                lambda f, counts=counts: replace(  # type: ignore[misc]
                    f, any_length=False, count=counts[f]) if f in counts else f))


def _different_counts(taken: Taken, domains: Domains) -> Iterator[dict[Feature, int]]:
    """Feature → how many values a row has, for those of any number, if not all have as many.

    Of two or three features every combination of one value and the nearest size; of more, the nearest.
    """
    free = [f for one in taken.single for f in one.features if f.any_length]
    nearest = [(domains.sizes([f.tensor])[0] or [1])[0] for f in free]
    choices = itertools.product(*({1, size} for size in nearest)) if len(free) <= _FEW else [nearest]
    for counts in choices:
        if len(set(counts)) > 1:
            yield dict(zip(free, counts))


def _of_values(taken: Taken, count: int) -> Taken:
    """With so many values in each row."""
    narrow = taken.features(
        lambda f: replace(f, any_length=False, count=count) if f.any_length else f)
    return replace(_of_columns(narrow, count), composites=[
        replace(one, columns=count, count=count) for one in taken.composites])


def _of_columns(taken: Taken, count: int) -> Taken:
    """With sparse tensors that have so many columns."""
    return Taken([replace(one, columns=count) for one in taken.composites],
                 [replace(one, shape=(*one.shape[:-1], count)) if one.is_sparse else one
                  for one in taken.single])


def _sizes(way: Way, domains: Domains) -> Iterator[Way]:
    """Where a dimension may have any size: one, or a size behind."""
    free = [one for one in way.taken.single if None in one.shape[1:] and not one.is_sparse]
    sizes, _ = domains.sizes([one.tensor for one in free])
    for size in (*sizes, 1) if free else ():
        yield way.but(f"{size} for a dimension of any size", _of_shapes(way.taken, {
            one.key: (*one.shape[:1], *(size if known is None else known for known in one.shape[1:]))
            for one in free}))


def _floats(way: Way, domains: Domains) -> Iterator[Way]:
    """Floats that are ids where a table says how many, whole numbers, or numbers from 0 to 1."""
    inputs = [*(one.values for one in way.taken.composites), *way.taken.single]
    floats = [domains.of(part.tensor, part.dtype) for one in inputs for part in one.features or (one,)
              if part.dtype.is_floating]
    if any(domain.limit for domain in floats):
        yield way.but("ids in floats", floats=IDS_KNOWN)
    if floats:
        yield way.but("whole numbers in floats", floats=WHOLE)
        yield way.but("floats from 0 to 1", floats=UNIT)


def _ids(way: Way, domains: Domains) -> Iterator[Way]:
    """Ids of tables that are not seen, and small."""
    for below in BELOW:
        yield way.but(f"ids below {below}", below=below)


def _contents(way: Way, domains: Domains) -> Iterator[Way]:
    """Strings that are not wrapped, or hold no Examples, although something unpacks or parses some."""
    if any(one.wraps for one in way.taken.single):
        yield way.but("strings that are not wrapped",
                      way.taken.each(lambda one: replace(one, wraps=())))
    if any(one.features for one in way.taken.single):
        yield way.but("strings that hold no Examples",
                      way.taken.each(lambda one: replace(one, features=())))


def _rows(way: Way, domains: Domains) -> Iterator[Way]:
    """One row, where a signature promises to take any number."""
    if any(one.any_batch for one in way.taken.single):
        yield way.but("one row", way.taken.each(
            lambda one: replace(one, shape=(1, *one.shape[1:])) if one.any_batch else one))


_KINDS: tuple[_Kind, ...] = (_values, _shapes, _sizes, _floats, _rows, _ids, _contents)
