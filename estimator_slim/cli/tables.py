"""Lines of a terminal: columns, bars, and numbers of bytes."""

from __future__ import annotations

from collections.abc import Sequence

_BAR = 20  # letters of a share of 1


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, in columns as wide as they have to be."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def bar(share: float) -> str:
    """A share from 0 to 1 as a bar."""
    full = round(min(1.0, share) * _BAR)
    return "█" * full + "·" * (_BAR - full)


def byte_text(count: int) -> str:
    """`1,024.6 MB`, `3.2 kB`."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"
