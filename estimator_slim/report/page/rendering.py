"""Pages from templates, by Jinja2: every name and sentence is escaped."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from estimator_slim.errors import RequirementError
from estimator_slim.report.amounts import duration, ratio, size
from estimator_slim.report.left_alone import left_alone
from estimator_slim.report.outputs import accuracies
from estimator_slim.report.page import errors, overview, rungs, sizes, told
from estimator_slim.report.page.headline import headline, tiles
from estimator_slim.report.record import Report
from estimator_slim.report.shares import floor_percent, percent

_BRIEF, _NAME, _TEXT = 80, 160, 1500  # characters that are shown where there is little room, and more


def can_be_made() -> bool:
    """True where Jinja2 is installed."""
    return importlib.util.find_spec("jinja2") is not None


def page_of(report: Report) -> str:
    """The page of one optimization, HTML.

    Raises:
      RequirementError: Jinja2 is not installed.
    """
    found = report.verification
    return _render(
        "record.html", report=report, found=found, headline=headline(report), tiles=tiles(report),
        weights=sizes.by_weight(report), waterfall=sizes.waterfall(report),
        answers=errors.of_answers(found), of_weights=errors.of_weights(report),
        plots=errors.plots(found), rungs=rungs.rungs(report), picture=rungs.picture(report),
        asked=told.asked(found), left_alone=left_alone(report))


def overview_of(title: str, records: Mapping[str, Report], links: Mapping[str, str]) -> str:
    """The page of all optimizations of a model, HTML.

    Args:
      title: of the model.
      records: path → the record in it.
      links: path → where its page is, as the overview links to it.

    Raises:
      RequirementError: Jinja2 is not installed.
    """
    return _render("overview.html", title=title, exporters=overview.exporters(records, links),
                   power=lambda exponent: size(round(10**exponent)))


def _render(template: str, **values: Any) -> str:
    if not can_be_made():
        raise RequirementError("a page needs Jinja2, which is not installed: "
                               "pip install 'estimator-slim[report]'")
    text: str = _environment().get_template(template).render(**values)
    return text.encode("utf-8", "replace").decode("utf-8")  # a name may hold half a character


@functools.lru_cache
def _environment() -> Any:
    import jinja2
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        size=size, percent=percent, duration=duration, count=_count, place=_place, change=_change,
        enough=told.enough,
        brief=functools.partial(_cut, most=_BRIEF), name=functools.partial(_cut, most=_NAME),
        sentence=functools.partial(_cut, most=_TEXT))
    environment.globals.update(ratio=ratio, floor_percent=floor_percent, accuracies=accuracies)
    return environment


def _count(number: int) -> str:
    return f"{number:,}"


def _place(share: float) -> str:
    """A place or a length in a picture."""
    return f"{share:.2f}"


def _change(count: int) -> str:
    return f"{'−' if count < 0 else '+'}{size(abs(count))}"


def _cut(text: Any, most: int) -> str:
    shown = str(text)
    return shown if len(shown) <= most else f"{shown[:most - 1]}…"
