"""reduce_rank: tables narrowed to the directions that the next layer looks at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import CODED, Graph, NodeDef, Table, Weight, tables_of
from estimator_slim.log import tracked
from estimator_slim.report import Treatment
from estimator_slim.transforms.base import Skip, Told, Transform, treatment_of
from estimator_slim.transforms.bounds import INFINITIES, Bounds
from estimator_slim.transforms.weights._narrowing import narrow_between
from estimator_slim.transforms.weights._next_layer import NextLayers, Reached

_NARROWEST, _WIDEST = 8, 2048  # columns of a table
_WORTH = 0.9  # of its columns that a table may keep at most
_LEAST_ROWS = 2  # for each column: a smaller table is less than its kernel
_POWER = 0.5  # of how much a row counts
_TO_KERNEL = 0.4  # power of a direction's strength that goes from the table to the kernel
_LEAST_SHARE = 1e-3  # of the strongest direction's
_SAMPLES, _SAMPLE_ROWS = 64, 128
_FINE = 20.0  # decibels
_READ_BYTES = 1 << 20  # of rows that are multiplied at once

Read = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class ReduceRank(Transform):
    """Narrows tables whose rows are only added up and multiplied by a kernel.

        Before: table [N, D] ─ GatherV2 ─ SparseSegmentMean ─ MatMul(kernel [D, H])
        After:  table [N, r] ─ GatherV2 ─ SparseSegmentMean ─ MatMul(kernel [r, H])

    Such rows matter only through table × kernel = U S Vᵀ. The table becomes its coordinates along the r
    strongest directions, and the kernel becomes the first r rows of Vᵀ: the best of all pairs of these
    sizes (Eckart and Young, 1936). A part of each direction's strength goes from the table to the
    kernel, so that codes with one step for all of a row are off by less. Where the training checkpoint
    tells how much a row counts, and rows that were never trained are gone (drop_untrained_rows), rows
    are weighted by it: the sum of squared gradients is the empirical Fisher information (Hsu et al.,
    2022). Else they are weighted by their length, as rows that training moved far are long.

    The table is read once for its D × D products, and once for each pass over its coordinates; it is
    never held. A table that anything else reads stays as it is, and so does one that would hardly become
    narrower.

    Attributes:
      energy: the share of the sum of squares of table × kernel that is to stay, from which r follows.
      rank: r itself; 0: by `energy`.
    """

    text_name: ClassVar[str] = "reduce_rank"
    by: ClassVar[str] = "ours"
    lossy: ClassVar[bool] = True
    reads_checkpoint: ClassVar[bool] = True
    energy: float = 0.9995
    rank: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.energy <= 1:
            raise OptionError("reduce_rank(energy=...) takes a share above 0, up to 1, got "
                              f"{self.energy}")
        if self.rank < 0:
            raise OptionError(f"reduce_rank(rank=...) takes 0 or more directions, got {self.rank}")

    @property
    def bounds(self) -> Bounds:
        """What is left out of the energy is noise, and may be ten times that where it is answered.

        With a rank it is not known before; then as of four bits.
        """
        noise = 12.0 if self.rank else max(12.0, -10 * math.log10(max(1 - self.energy, 1e-4)) - 10)
        return Bounds(max_error=0.1 if noise >= _FINE else 0.2, min_agreement=0.99, snr=noise,
                      row_snr=noise - 18, unjudged=frozenset((INFINITIES,)))

    def rewrite(self, graph: Graph) -> list[Told]:
        layers = NextLayers(graph)
        told: list[Told] = []
        blocks: dict[str, dict[int, tuple[int, np.ndarray]]] = {}
        for table in [t for t in tables_of(graph) if t.lookups and t.weight.dtype.is_floating]:
            reason = _reason_to_skip(graph, table)
            reached = None if reason else layers.reached(table.lookups, table.weight.shape[1])
            if reason is None and reached is None:
                reason = "its rows meet something else than sums and a kernel"
            if reason or reached is None:
                told.append(Skip(table.name, reason or ""))
                continue
            done = self._reduce(graph, table, reached, layers)
            if isinstance(done, str):
                told.append(Skip(table.name, done))
                continue
            treatment, kernels = done
            told.append(treatment)
            for place, rows in zip(reached.places, kernels):
                blocks.setdefault(place.matmul, {})[place.first] = (table.weight.shape[1], rows)
        for matmul, replaced in blocks.items():
            _narrow_kernel(graph, graph.nodes[matmul], replaced)
        return told

    def _reduce(self, graph: Graph, table: Table, reached: Reached,
                layers: NextLayers) -> tuple[Treatment, list[np.ndarray]] | str:
        """Narrows the table; its treatment, and the rows of kernels that go with it, or why not."""
        weight, width = table.weight, table.weight.shape[1]
        kernels = layers.kernels(reached, width)
        gram = _gram(weight)
        if not np.isfinite(gram).all():
            return "not every value is finite"
        beside = np.hstack(kernels)
        strengths, directions = _directions(gram, beside)
        total = float(np.sum(strengths**2))
        left = np.cumsum(strengths**2) / total if total else np.ones(len(strengths))
        rank = self.rank or int(np.searchsorted(left, self.energy - 1e-12) + 1)
        rank = min(rank, len(strengths))
        if rank > _WORTH * width:
            return f"{rank} of its {width} directions are needed: that saves too little"
        shares = _shares(strengths[:rank])
        reduced = _projected(weight, (beside @ directions[:rank].T / shares).astype(np.float32))
        value = graph.add_weight(f"{table.name}/reduced", reduced)
        for lookup in table.lookups:
            lookup.input[0] = value
        narrow_between(graph, reached, width, rank)
        columns = np.cumsum([kernel.shape[1] for kernel in kernels])[:-1]
        facts = {"energy": float(left[rank - 1]), "spectrum": _rounded(strengths)}
        return (treatment_of(table.name, weight, [reduced], rank=rank, facts=facts),
                np.split(shares[:, None] * directions[:rank], columns, axis=1))


def _reason_to_skip(graph: Graph, table: Table) -> str | None:
    weight = table.weight
    if weight.dtype != tf.float32 or len(weight.shape) != 2 or weight.stored is not None:
        return f"it is no matrix of float32, but {weight.dtype.name} {list(weight.shape)}"
    if CODED in graph.nodes[table.name].attr:
        return "it is a part of what is stored as codes already"
    if table.others:
        return f"something besides lookups reads it ({table.others[0].name})"
    if not _NARROWEST <= weight.shape[1] <= _WIDEST:
        return f"it has {weight.shape[1]} columns, not {_NARROWEST} to {_WIDEST}"
    if weight.row_count < _LEAST_ROWS * weight.shape[1]:
        return f"it has only {weight.row_count} rows"
    return None


def _gram(weight: Weight) -> np.ndarray:
    """The products of all columns, each row weighted by how much it counts, or by its length."""
    total = np.zeros((weight.shape[1], weight.shape[1]))
    importance = _importance(weight)
    slices = tracked(f"looking at {weight.origin}", weight.byte_count, weight.slices())
    for start, rows in slices:
        if importance is None:
            counts = np.einsum("ij,ij->i", rows, rows) ** 0.25
        else:
            counts = np.maximum(importance(start, start + len(rows)), 0) ** (_POWER / 2)
        rows = rows * counts[:, None].astype(np.float32)
        total += rows.T @ rows
    return total


def _importance(weight: Weight) -> Read | None:
    """How much rows count; None where not known, and where some are untrained: they count, too."""
    training = weight.training
    if training is None or training.importance is None:
        return None
    all_trained = all(training.trained(*run).all() for run in weight.spread(_SAMPLES, _SAMPLE_ROWS))
    return training.importance if all_trained else None


def _directions(gram: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The singular values of table × kernel, falling, and the rows of Vᵀ, from the table's products."""
    values, vectors = np.linalg.eigh(gram)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    _, strengths, directions = np.linalg.svd(root @ kernel, full_matrices=False)
    return strengths, directions


def _shares(strengths: np.ndarray) -> np.ndarray:
    """What of each direction's strength the kernel takes; the strongest one's is 1."""
    relative = strengths / (strengths[0] or 1.0)
    return np.maximum(relative, _LEAST_SHARE) ** _TO_KERNEL


def _projected(weight: Weight, onto: np.ndarray) -> Weight:
    """The rows [n, D] of a weight times `onto` [D, r]."""
    step = weight.rows_within(_READ_BYTES)

    def read(start: int, stop: int) -> np.ndarray:
        rows = np.empty((stop - start, onto.shape[1]), np.float32)
        for at in range(start, stop, step):
            end = min(at + step, stop)
            np.matmul(weight.read(at, end), onto, out=rows[at - start:end - start])
        return rows

    return Weight(weight.dtype, (weight.row_count, onto.shape[1]), read, origin=weight.origin,
                  training=weight.training, bytes_before=weight.bytes_before or weight.byte_count)


def _narrow_kernel(graph: Graph, matmul: NodeDef, blocks: dict[int, tuple[int, np.ndarray]]) -> None:
    """Replaces rows of a kernel: first row → (how many, what comes in their place)."""
    kernel = graph.weight(matmul.input[1])
    assert kernel is not None
    old, parts, at = kernel.value(), [], 0
    for first, (count, rows) in sorted(blocks.items()):
        parts += [old[at:first], rows.astype(old.dtype)]
        at = first + count
    narrow = Weight.of_array(np.concatenate([*parts, old[at:]]), kernel.origin)
    matmul.input[1] = graph.add_weight(f"{matmul.name}/narrow", narrow)


def _rounded(strengths: np.ndarray) -> tuple[float, ...]:
    """Singular values as shares of the largest."""
    largest = float(strengths[0]) or 1.0
    return tuple(round(float(value) / largest, 6) for value in strengths)

