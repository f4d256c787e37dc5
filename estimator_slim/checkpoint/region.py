"""A box cut out of a tensor, and the text form in which RestoreV2 and SaveV2 ask for one."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from estimator_slim.errors import SourceError

Shape = tuple[int, ...]

_EXTENT = re.compile(r"(\d{1,18}),(\d{1,18})")
_DIMENSION = re.compile(r"\d{1,18}")
_CHANCE = random.SystemRandom()  # which no file can be made to fit
_PRIME = 2**61 - 1


@dataclass(frozen=True)
class Region:
    """Along axis d, the elements starts[d] .. starts[d] + lengths[d] of a full tensor.

    Region((500, 0), (500, 16)) is the lower half of a [1000, 16] table.
    """

    starts: Shape
    lengths: Shape

    @classmethod
    def whole(cls, shape: Shape) -> Region:
        """All of a tensor of this shape."""
        return cls((0,) * len(shape), tuple(shape))

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.lengths)

    @property
    def stops(self) -> Shape:
        """One past the last element of each axis."""
        return tuple(start + length for start, length in zip(self.starts, self.lengths))

    def fits(self, shape: Shape) -> bool:
        """Whether this lies inside a tensor of that shape."""
        return len(shape) == len(self.starts) and all(
            start >= 0 and length >= 0 and start + length <= size
            for start, length, size in zip(self.starts, self.lengths, shape)
        )

    def rows(self, start: int, stop: int) -> Region:
        """Its rows start..stop, counted from its own first row."""
        return Region((self.starts[0] + start, *self.starts[1:]), (stop - start, *self.lengths[1:]))

    def overlap(self, other: Region) -> Region:
        """What both contain; its size is 0 when they do not meet."""
        starts = tuple(map(max, self.starts, other.starts))
        stops = tuple(map(min, self.stops, other.stops))
        return Region(starts, tuple(max(0, b - a) for a, b in zip(starts, stops)))

    def inside(self, outer: Region) -> tuple[slice, ...]:
        """The numpy index of this in an array that holds `outer`."""
        return tuple(
            slice(start - origin, start - origin + length)
            for start, origin, length in zip(self.starts, outer.starts, self.lengths)
        )


def tile(parts: Sequence[Region], whole: Region) -> bool:
    """True if `parts`, each inside of `whole`, have every element of it once.

    Comparing each part with each would take time with the square of their number. So every place where
    one begins or ends gets a random number m, and sizes are measured by these: rows 0..3 and 3..5 of 5
    measure m(3) - m(0) and m(5) - m(3), together m(5) - m(0), as the whole does, whatever m is. Rows
    0..3 and 2..5 miss that but for one chance in 2**61 an axis. This is one pass over the parts.
    """
    if len(parts) < 2:
        return sum(part.size for part in parts) == whole.size
    measures = [_measure(axis, [whole, *parts]) for axis in range(len(whole.starts))]
    return sum(_measured(part, measures) for part in parts) % _PRIME == _measured(whole, measures)


def _measure(axis: int, regions: Sequence[Region]) -> dict[int, int]:
    """A number by chance for each place on an axis where one of the regions begins or ends."""
    places = {place for region in regions for place in (region.starts[axis], region.stops[axis])}
    return {place: _CHANCE.randrange(_PRIME) for place in places}


def _measured(region: Region, measures: Sequence[dict[int, int]]) -> int:
    size = 1
    for start, stop, measure in zip(region.starts, region.stops, measures):
        size = size * (measure[stop] - measure[start]) % _PRIME
    return size


def parse_region(text: str) -> tuple[Shape, Region] | None:
    """The full shape and the region which a `shape_and_slices` entry names; None for "", all of it.

    >>> parse_region("1000 16 0,500:-")
    ((1000, 16), Region(starts=(0, 0), lengths=(500, 16)))

    Raises:
      SourceError: the text is not of this form, or the region leaves the tensor.
    """
    if not text:
        return None
    *sizes, extents = text.split(" ")
    shape = tuple(int(size) for size in sizes if _DIMENSION.fullmatch(size))
    pairs = [_extent(part, size) for part, size in zip(extents.split(":"), shape)]
    if len(shape) == len(sizes) == extents.count(":") + 1 and None not in pairs:
        region = Region(tuple(p[0] for p in pairs if p), tuple(p[1] for p in pairs if p))
        if region.fits(shape):
            return shape, region
    raise SourceError(
        f"The graph asks for the slice {text!r} of a variable, which cannot be understood: "
        "expected the full shape, then start,length (or -) for each axis inside that shape, "
        "such as '1000 16 0,500:-'. The graph is damaged: export the model again."
    )


def _extent(text: str, size: int) -> tuple[int, int] | None:
    """Start and length from "4,2" or "-", all of an axis of that size; None if it is neither."""
    if text == "-":
        return 0, size
    match = _EXTENT.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None
