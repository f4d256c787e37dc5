"""The page that tells of every field of a record, made of what the classes say of themselves.

    python -m tests.report.described    # writes estimator_slim/report/record.md anew
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

from estimator_slim.report import (
    Asked,
    Chosen,
    Failure,
    OutputResult,
    Part,
    Phase,
    Problem,
    Report,
    Step,
    Treatment,
    Tried,
    Verification,
)

PAGE = Path(__file__).parents[2] / "estimator_slim/report/record.md"
CLASSES = (Report, Problem, Chosen, Phase, Step, Treatment, Tried, Verification, OutputResult, Part,
           Failure, Asked)
MARK = "<!-- below: python -m tests.report.described -->\n"


def described() -> str:
    """A section for each class, with a table of its fields."""
    return "\n".join(_section(kind) for kind in CLASSES)


def _section(kind: type) -> str:
    text = inspect.getdoc(kind) or ""
    said = dict(re.findall(r"^  (\w+): (.*?)(?=\n  \w|\Z)", text.partition("Attributes:\n")[2],
                           re.MULTILINE | re.DOTALL))
    rows = [f"| `{field.name}` | `{_spelled(str(field.type))}` | {_on_one_line(said[field.name])} |"
            for field in dataclasses.fields(kind)]
    title = _on_one_line(text.partition("\n\n")[0])
    return "\n".join([f"## {kind.__name__}", "", title, "", "| field | type | |", "|---|---|---|", *rows,
                      ""])


def _spelled(annotation: str) -> str:
    """`tuple[float, ...] | None` → `list of float, or null`."""
    text = annotation.replace("| None", "or null").replace(", ...]", "]").replace(" | ", " or ")
    text = re.sub(r"\b(list|tuple)\[", "list of [", text)
    return re.sub(r"list of \[([\w ]+)\]", r"list of \1", text)


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK + "\n" + described(),
                    encoding="utf-8")
