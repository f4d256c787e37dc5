"""The decision log: a line on top for each decision below, with evidence that can be run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTES = (ROOT / "BUILD_NOTES.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| (\d{4}-\d\d-\d\d) \| \[(.+)\]\(#(.+)\) \| `(.+)` \|$", NOTES, re.MULTILINE)
HEADINGS = re.findall(r"^## (.+)$", NOTES, re.MULTILINE)
NAMES = sorted(set(re.findall(r"`python -m pytest -k \"?([\w ]+)\"?`", NOTES)))
PROGRAMS = sorted(set(re.findall(r"`python3? (tests/[\w/.]+)", NOTES)))
TESTS = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*_test.py")}


def anchor(heading: str) -> str:
    """As GitHub names a heading's link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_decision_has_a_line_and_every_line_its_decision_below() -> None:
    assert [title for _, title, _, _ in LINES] == HEADINGS
    assert [link for _, _, link, _ in LINES] == [anchor(heading) for heading in HEADINGS]


def test_decisions_are_in_the_order_of_their_dates() -> None:
    dates = [date for date, *_ in LINES]
    assert dates == sorted(dates)


@pytest.mark.parametrize("names", NAMES)
def test_tests_that_are_named_as_evidence_are_there(names: str) -> None:
    for name in names.split(" and ")[0].split(" or "):
        assert any(name in path.name or re.search(rf"^def test_\w*{name}", text, re.MULTILINE)
                   for path, text in TESTS.items()), name


@pytest.mark.parametrize("path", PROGRAMS)
def test_programs_that_are_named_as_evidence_are_there(path: str) -> None:
    assert (ROOT / path).is_file()
