"""Prints a table that can be pasted into a Markdown file."""

from __future__ import annotations

from collections.abc import Sequence


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The first column is text; numbers in the others are shown by their size."""
    print(f"\n**{title}**\n")
    print("| " + " | ".join(header) + " |")
    print("|---" * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(cell(value) for value in row) + " |")
    print(flush=True)


def cell(value: object) -> str:
    """
    >>> [cell(v) for v in ("p50", 41, 0.25534, 12.345, 1024.4, None)]
    ['p50', '41', '0.2553', '12.3', '1,024', '–']
    """
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    digits = 4 if abs(value) < 2 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f}"
