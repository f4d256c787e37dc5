"""Rows from all over a stored tensor, each read by itself: a few microseconds a row on a local disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import numpy as np

from estimator_slim.checkpoint.data_file import damaged, read_octets
from estimator_slim.checkpoint.index import Piece, TensorEntry
from estimator_slim.checkpoint.region import Region
from estimator_slim.errors import SourceError

_ReadRow = Callable[[int, np.ndarray], object]  # puts the row that begins at a byte into an array


def scattered_rows(name: str, entry: TensorEntry, box: Region, places: np.ndarray) -> np.ndarray | None:
    """Rows `places` of the box, in their order; None where no piece holds whole rows of it.

    Args:
      name: of the tensor, for messages.
      entry: what the index says of it; of numbers.
      box: what of it the rows are counted in.
      places: integers [n], each from 0 to the rows of the box less 1.

    Returns:
      An array [n, ...].

    Raises:
      SourceError: they cannot be read.
    """
    rows = np.empty((len(places), *box.lengths[1:]), entry.dtype.as_numpy_dtype)
    missing = np.ones(len(places), bool)
    for piece in entry.pieces:
        if (piece.region.starts[1:], piece.region.lengths[1:]) == (box.starts[1:], box.lengths[1:]):
            row = places + box.starts[0] - piece.region.starts[0]
            mine = np.flatnonzero(missing & (row >= 0) & (row < piece.region.lengths[0]))
            _read(name, piece, row, mine, rows)
            missing[mine] = False
    return None if missing.any() else rows


def _read(name: str, piece: Piece, row: np.ndarray, numbers: np.ndarray, rows: np.ndarray) -> None:
    """Puts row `row[n]` of the piece into `rows[n]`, for each n of `numbers`."""
    size = piece.size // max(1, piece.region.lengths[0])
    if len(numbers) and size:
        octets = rows.reshape(len(rows), -1).view(np.uint8)
        with _opened(name, piece, size) as read:
            for number in numbers[np.argsort(row[numbers], kind="stable")].tolist():
                read(int(row[number]) * size, octets[number])


@contextlib.contextmanager
def _opened(name: str, piece: Piece, size: int) -> Iterator[_ReadRow]:
    if "://" in piece.path:
        yield lambda at, octets: read_octets(name, piece, at, octets)
        return

    def read(at: int, octets: np.ndarray) -> None:
        got = os.preadv(file, [octets.data], piece.offset + at)
        if got != size:
            detail = f"expected {size} bytes at byte {piece.offset + at}, got {got}"
            raise SourceError(damaged(name, piece, detail))

    try:
        file = os.open(piece.path, os.O_RDONLY)
    except OSError as error:
        raise SourceError(damaged(name, piece, str(error))) from error
    try:
        yield read
    except OSError as error:
        raise SourceError(damaged(name, piece, str(error))) from error
    finally:
        os.close(file)

