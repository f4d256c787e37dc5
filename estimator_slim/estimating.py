"""What each preset would make of a servable, told before the work: nothing is written or verified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from estimator_slim.choosing import resolve
from estimator_slim.graph import Graph, tables_of
from estimator_slim.options import FUNCTION, OFF
from estimator_slim.paths import Path, as_text
from estimator_slim.presets import BALANCED, LOSSLESS, PRESETS, SMALLEST, with_bits
from estimator_slim.report import Report
from estimator_slim.saved_model import read_servable
from estimator_slim.transforms import QuantizeWeights, run_transforms, transform_list
from estimator_slim.work import Work

_LISTS = {LOSSLESS: PRESETS[LOSSLESS][0], "16 bits": with_bits(16), BALANCED: PRESETS[BALANCED][0],
          "4 bits": with_bits(4), SMALLEST: PRESETS[SMALLEST][0]}


@dataclass(frozen=True)
class TableEstimate:
    """What would become of one table that requests look up.

    Attributes:
      name: of the tensor in the checkpoint that it is read from.
      shape: as it is.
      byte_count: of its values.
      byte_counts: `lossless`, `16 bits`, `balanced` (8 bits), `4 bits`, `smallest` → bytes of all that
        would be stored for it.
    """

    name: str
    shape: tuple[int, ...]
    byte_count: int
    byte_counts: Mapping[str, int]


@dataclass(frozen=True)
class Estimate:
    """What would become of a servable.

    Attributes:
      source: its directory.
      byte_count: of its files.
      byte_counts: as of a table, of all files; a list that verification would not pass counts as well.
      tables: those that requests look up, the largest first.
    """

    source: str
    byte_count: int
    byte_counts: Mapping[str, int]
    tables: Sequence[TableEstimate]

    def __str__(self) -> str:
        """`1,024.6 MB: lossless 1,024.5 MB, balanced 260.5 MB (1/3.9), smallest 0.6 MB (1/1650)`."""
        told = ", ".join(f"{name} {_size(count)} (1/{self.byte_count / max(1, count):.3g})"
                         for name, count in self.byte_counts.items())
        return f"{_size(self.byte_count)}: {told}"


def estimate(src: Path, *, checkpoint: Optional[Path] = None,  # noqa: UP045
             tags: Sequence[str] = ("serve",)) -> Estimate:
    """About how large the slim servable of each preset and number of bits would be.

    Rows that were never trained and directions that count are found as they would be; what codes take is
    worked out from shapes. For a servable of 1 GB that takes a few seconds.

    Args:
      src: directory of one exported version; nothing is written.
      checkpoint: as of `optimize_saved_model`.
      tags: of the MetaGraph.

    Raises:
      EstimatorSlimError: OptionError for wrong arguments, SourceError where `src` cannot be read.
    """
    source = as_text(src, "src")
    options = resolve(FUNCTION, {"checkpoint": checkpoint, "verify": OFF})
    return estimated(Work(read_servable(source, tags), options, tuple(tags), source, [],
                          Report(source, source)))


def estimated(work: Work, names: Iterable[str] = _LISTS) -> Estimate:
    """The estimate of the lists of these names, for the original of `work`."""
    totals: dict[str, int] = {}
    tables: dict[str, dict[str, int]] = defaultdict(dict)
    graphs: dict[str, Graph] = {}
    for name in names:
        transforms = transform_list(_LISTS[name])
        before = [one for one in transforms if not isinstance(one, QuantizeWeights)]
        key = " ".join(map(str, before))
        if key not in graphs:
            graphs[key], _ = run_transforms(work.frozen(before), before)
        graph = graphs[key]
        sizes = {table: count for one in transforms if isinstance(one, QuantizeWeights)
                 for table, count in one.sizes(graph).items()}
        totals[name] = work.bytes_with(graph)
        for table in tables_of(graph):
            count = sizes.get(table.name, table.weight.byte_count)
            totals[name] += count - table.weight.byte_count
            if table.lookups and table.weight.dtype.is_floating:
                found = tables[table.weight.origin or table.name]
                found[name] = found.get(name, 0) + count
    first = next(iter(graphs.values()))
    known = [TableEstimate(table.weight.origin, table.weight.shape, table.weight.byte_count,
                           tables[table.weight.origin])
             for table in tables_of(first) if table.weight.origin in tables and table.lookups]
    return Estimate(work.servable.directory, work.byte_count, totals,
                    sorted(known, key=lambda one: -one.byte_count))


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
