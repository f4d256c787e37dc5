"""What transforms made of single weights, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

Fact = Union[str, float, int, bool, tuple[float, ...], tuple[int, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Treatment:
    """What one transform made of one weight.

        Treatment("dnn/embedding_weights", shape=(1_000_000, 256), dtype="float32",
                  bytes_before=1_024_000_000, bytes_after=260_000_000, codes="int8", bits=8)

    What has no meaning for the transform is None.

    Attributes:
      weight: the node that holds it before the transform, as transform lists name it.
      shape: as it was.
      dtype: of its values, as it was.
      bytes_before: of its values.
      bytes_after: of all that is stored for it afterwards: codes, scales, offsets, an index of rows.
      origin: the tensor of the checkpoint that it was read from, or the node; `` where not known.
      codes: dtype of what is stored in place of values.
      bits: of each code.
      per_scale: rows that share a scale: 1 for a scale for each row; 0 if all share one.
      has_offset: codes have an offset beside their scale.
      rows: rows that are left of shape[0].
      rank: directions that are left of shape[1].
      error: root of the mean square of what values are off by, as a share of that of the values.
      row_errors: the same row by row, as 21 quantiles: the smallest, that which 5 % of rows do not
        exceed, 10 %, … the largest.
      facts: what else the transform has to say: name → number, text, or tuple of these.
    """

    weight: str
    shape: tuple[int, ...]
    dtype: str
    bytes_before: int
    bytes_after: int
    origin: str = ""
    codes: str | None = None
    bits: int | None = None
    per_scale: int | None = None
    has_offset: bool | None = None
    rows: int | None = None
    rank: int | None = None
    error: float | None = None
    row_errors: tuple[float, ...] | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
