"""A step that is run again replaces its own section of results.md and no other."""

from __future__ import annotations

from pathlib import Path

from results import PATH, with_section
from run import STEPS

TEXT = "# Results\n\nBy whom.\n\n## one\n\n**A**\n\n| x |\n|---|\n| 1 |\n\n## two\n\n**B**\n"


def test_a_section_is_replaced_where_it_stands() -> None:
    again = with_section(TEXT, "one", "**C**\n\n")
    assert again == "# Results\n\nBy whom.\n\n## one\n\n**C**\n\n## two\n\n**B**\n"


def test_a_new_section_comes_last() -> None:
    assert with_section(TEXT, "three", "**C**") == f"{TEXT}\n## three\n\n**C**\n"


def test_every_section_that_is_there_is_a_step_and_reads_back_as_it_is() -> None:
    text = Path(PATH).read_text(encoding="utf-8")
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    assert set(sections) <= set(STEPS)
    for name, body in sections.items():
        assert with_section(text, name, body) == text
