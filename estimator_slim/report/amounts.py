"""Bytes and seconds as text."""

from __future__ import annotations


def size(count: int) -> str:
    """Bytes.

        >>> size(1_024_600_000), size(621_000)
        ('1,024.6 MB', '621.0 kB')
    """
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"


def ratio(before: int, after: int) -> str:
    """How large the second is.

        >>> ratio(1000, 256), ratio(1000, 1), ratio(1000, 1200)
        ('1/3.9', '1/1000', '1.2 times as much')
    """
    if after > before:
        return f"{after / max(1, before):.1f} times as much"
    part = before / max(1, after)
    return f"1/{part:.1f}" if part < 100 else f"1/{part:.0f}"


def duration(seconds: float) -> str:
    """How long something took.

        >>> duration(0.04), duration(38), duration(125)
        ('0.04 s', '38 s', '2 min 5 s')
    """
    if seconds < 60:
        return f"{seconds:.{2 if seconds < 1 else 1 if seconds < 10 else 0}f} s"
    return f"{int(seconds) // 60:,} min {int(seconds) % 60} s"
