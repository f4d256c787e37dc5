"""Exporters around an exporter: each may make slim servables of its own, in a folder of its own."""

from __future__ import annotations

from estimator_slim.errors import OptionError
from estimator_slim.layout import REPLACE


def require_own_place(outer: tuple[str, str | None], *within: tuple[str, str | None]) -> None:
    """Refuses an exporter that would write where one within it does, or make of slim servables others.

    Each is given by its layout and its suffix; None: that which holds where none is given.

    Raises:
      OptionError: with what to give instead.
    """
    layout, suffix = outer
    for its_layout, its_suffix in within:
        if its_layout == REPLACE:
            raise OptionError("layout: an OptimizingExporter wraps another that returns slim servables, "
                              "of which no others are made; give the inner one layout='beside'")
        if layout != REPLACE and suffix == its_suffix:
            raise OptionError("suffix: an OptimizingExporter wraps another of the same suffix"
                              f"{f' {suffix!r}' if suffix else ''}, so both would write to one folder; "
                              "give the outer one another suffix")
