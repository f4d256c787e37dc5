"""The report as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from estimator_slim.report.outputs import OutputResult
from estimator_slim.report.verification import Verification

_HEADER = ("signature", "output", "dtype", "rows", "largest error", "mean error", "range", "dB",
           "of the range: examples", "made up", "agreement", "without near ties", "accuracy",
           "of the original")


def verification_text(found: Verification) -> str:
    """A table with a line for each output, what failed, what was not verified, and one line in all."""
    return "\n".join([*_table([_HEADER, *map(_cells, found.outputs)]),
                      *(f"FAILED: {failure}" for failure in found.failures),
                      *(f"not verified: {why}" for why in found.unverified),
                      *(f"warning: {what}" for what in found.warnings), str(found)])


def _cells(one: OutputResult) -> tuple[str, ...]:
    numbers = (one.largest_error, one.mean_error, one.range)
    errors = (None if part is None else part.error for part in (one.examples, one.made_up))
    shares = (one.agreement, one.clear_agreement, one.slim_accuracy, one.accuracy)
    return (one.signature, one.output, one.dtype, str(one.rows), *(_number(n, ".2g") for n in numbers),
            _number(one.snr, ".1f"), *(_number(n, ".2g") for n in errors),
            *(_number(n, ".4f") for n in shares))


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Columns as wide as they have to be; those that are empty in every row are left out."""
    columns = [column for column in zip(*rows) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
