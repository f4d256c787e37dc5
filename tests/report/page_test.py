"""A record as a page: it says what happened, escapes what it is told, stays small and loads nothing."""

from __future__ import annotations

import dataclasses
import html
import logging
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import Report, load_report
from estimator_slim.errors import RequirementError
from estimator_slim.record_files import keep
from estimator_slim.report import (
    OutputResult,
    Part,
    Problem,
    Step,
    Treatment,
    Tried,
    Verification,
    overview_of,
    page_of,
)
from tests.report.document_test import DOCUMENTS, FULL

HOSTILE = "<script>alert(1)</script>\"'><img src=http://evil.example/ onerror=alert(2)>\u202e{{7*7}}"
MOST_BYTES = 500_000


class Reader(HTMLParser):
    """What a page has: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def hostile(count: int = 8) -> Report:
    """Every text is hostile; `count` weights, nodes left alone, outputs and lists that were tried."""
    names = [f"{number}{HOSTILE}" for number in range(count)]
    errors = tuple(number / 1000 for number in range(21))
    treated = [Treatment(name, (30, 4), "float32", 480, 130, name, HOSTILE, 8, 1, False, 3, 2, 0.01,
                         errors) for name in names]
    outputs = tuple(OutputResult(
        HOSTILE, name, HOSTILE, 9, accuracy=0.9, slim_accuracy=number / count, agreement=1.0,
        examples=Part(9, 0.01, row_errors=(*errors[:-1], 1 + number)),
        pairs=((0.0, 1.0), (number, 2.0))) for number, name in enumerate(names))
    found = dataclasses.replace(FULL.verification, outputs=outputs, warnings=tuple(names),
                                unverified=tuple(names))
    tried = [Tried(name, HOSTILE, 250, 0.5, found, "failed") for name in names]
    return dataclasses.replace(
        FULL, source=HOSTILE, destination=HOSTILE, signatures=names, tags=names, started=HOSTILE,
        steps=[Step(HOSTILE, 0.5, 9, 7, [(name, name) for name in names], treated, 10, 8, 12)] * 2,
        verification=found, tried=tried, error=Problem(HOSTILE, HOSTILE), versions={HOSTILE: HOSTILE})


@pytest.mark.parametrize("name", ["published", "refused", "version_0"])
def test_every_record_has_a_page_that_starts_with_what_happened(name: str) -> None:
    report = load_report(DOCUMENTS / f"{name}.json")
    text = Reader(page_of(report)).text
    if name == "refused":
        assert "Not published" in text and "does not answer as the original does" in text
        assert "It would pass with max_error=0.22" in text  # 0.2130 is what it takes
    else:
        sizes, answers = str(report).split(" (", 1)
        assert sizes in text and answers.split("), ", 1)[1] in text


def test_a_failure_is_said_with_its_cause_and_what_to_do() -> None:
    failed = Report("export/best/1", "export/best-slim/1", outcome="failed",
                    error=Problem("TransformError", "transform fuse failed\nLeave it out"))
    text = Reader(page_of(failed)).text
    assert "failed No slim servable transform fuse failed Leave it out" in text
    assert "The original is as it was" in text
    assert "0.0 kB" not in text


def test_a_page_has_each_of_its_subjects() -> None:
    report = load_report(DOCUMENTS / "published.json")
    headings = re.findall(r"<h2>(.*?)</h2>", page_of(report))
    assert headings == ["Where the bytes were, and went", "Step by step", "How near the answers are",
                        "The list that was tried", "What was asked", "How it was made"]
    skipping = Step("quantize_weights", 0.5, 9, 7, [("a/node", "too small")])
    text = Reader(page_of(dataclasses.replace(report, steps=[skipping]))).text
    assert "What was left alone, and why too small ( quantize_weights ) a/node" in text


def test_the_bytes_of_weights_and_of_everything_else_are_all_bytes() -> None:
    text = Reader(page_of(load_report(DOCUMENTS / "published.json"))).text
    assert ("1,024.0 MB → 260.0 MB 99.94 % of the original, 99.8 % of the slim servable; int8, 8 bits"
            in text)
    assert "everything else graph, vocabularies, weights that stay as they are 592.0 kB → 497.9" in text


def test_names_from_a_model_are_text_and_nothing_else() -> None:
    for page in (page_of(hostile()), overview_of(HOSTILE, {HOSTILE: hostile()}, {HOSTILE: HOSTILE})):
        assert HOSTILE[:25] in html.unescape(page)
        assert "49" not in re.findall(r"\{\{.*?\}\}|onerror=alert\(2\)&gt;\u202e(\d+)", page)
        tags = {tag for tag, _ in Reader(page).elements}
        assert not tags & {"script", "img", "iframe", "object", "form", "base"}
        attributes = {name for _, found in Reader(page).elements for name in found}
        assert not [name for name in attributes if name.startswith("on")]


def test_a_page_loads_nothing_and_says_so_to_the_browser() -> None:
    for page in (page_of(hostile()), overview_of("model", {"1.json": FULL}, {"1.json": "1.html"})):
        elements = Reader(page).elements
        policy = next(found["content"] for _, found in elements if "http-equiv" in found)
        assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        loaded = [found for tag, found in elements if "src" in found or tag == "link"]
        assert loaded == [{"rel": "icon", "href": "data:,"}]
        assert "url(" not in page and "@import" not in page


def test_a_page_stays_small_however_much_it_has_to_tell() -> None:
    report = hostile(3000)
    assert len(page_of(report).encode()) < MOST_BYTES
    records = {f"{number}.json": dataclasses.replace(report, destination=f"/m/best-slim/{number}")
               for number in range(1000)}
    assert len(overview_of("/m", records, {}).encode()) < MOST_BYTES


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.0, 1e300])
def test_numbers_that_are_none_have_a_page_too(number: float) -> None:
    output = OutputResult("predict", "x", "float32", 3, number, number, number, number, number, number,
                          number, number, 3, Part(3, number, farthest=number, row_errors=(number,) * 21),
                          None, ((number, 0.0), (0.0, number), (1.0, 2.0)))
    report = dataclasses.replace(FULL, verification=Verification((output,), max_error=number),
                                 outcome="published", error=None)
    assert "</html>" in page_of(report)


def test_half_a_character_in_a_name_has_a_page_that_can_be_written() -> None:
    page_of(dataclasses.replace(FULL, source="a\ud800b")).encode("utf-8")


def test_an_overview_tells_of_each_version_the_newest_first() -> None:
    first = load_report(DOCUMENTS / "published.json")
    refused = dataclasses.replace(load_report(DOCUMENTS / "refused.json"),
                                  destination=first.destination.replace("1700000000", "1700000001"))
    page = overview_of("intents", {"a.json": first, "b.json": refused}, {"a.json": "x/a.html"})
    text = Reader(page).text
    assert text.index("1700000001 refused") < text.index("1700000000 published")
    assert "1,024.6 MB 260.5 MB 1/3.9" in text
    links = [found["href"] for tag, found in Reader(page).elements if tag == "a"]
    assert links == ["x/a.html"]


def test_without_jinja2_a_record_is_kept_and_a_line_at_debug_level_says_what_is_missing(
        tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    report = dataclasses.replace(FULL, destination=str(tmp_path / "slim"))
    with caplog.at_level(logging.DEBUG, "absl"):
        keep(report, None)
    assert [path.name for path in tmp_path.iterdir()] == ["slim-report.json"]
    assert not [one for one in caplog.records if one.levelno > logging.DEBUG]
    with pytest.raises(RequirementError, match=r"pip install 'estimator-slim\[report\]'"):
        page_of(report)


def test_a_page_that_cannot_be_made_costs_no_record(tmp_path: Path, monkeypatch: Any) -> None:
    broken = dataclasses.replace(FULL, destination=str(tmp_path / "slim"), options=7)
    keep(broken, None)
    assert [path.name for path in tmp_path.iterdir()] == ["slim-report.json"]
