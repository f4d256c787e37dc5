"""results.md, the one file of results: a section for each step, replaced when the step is run again."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "results.md")
_HEADING = "## "


def with_section(text: str, name: str, body: str) -> str:
    """`text` with `body` as the section of that name: in place of the one there, or at the end.

    >>> with_section("# Results\\n\\n## a\\n\\n1\\n\\n## b\\n\\n2\\n", "a", "3")
    '# Results\\n\\n## a\\n\\n3\\n\\n## b\\n\\n2\\n'
    """
    head, *sections = f"\n{text}".split(f"\n{_HEADING}")
    bodies = dict(section.split("\n", 1) for section in sections)
    bodies[name] = f"\n{body.strip()}\n"
    return head.lstrip("\n") + "".join(f"\n{_HEADING}{key}\n{value}" for key, value in bodies.items())


@contextlib.contextmanager
def written(step: str, rounds: int, where: str) -> Iterator[None]:
    """Lets what the block prints be a section of results.md, too; `where`: machine, versions, date."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        sys.stdout.write(printed.getvalue())
    with open(PATH, encoding="utf-8") as file:
        text = file.read()
    command = f"`python tests/benchmarks/run.py --work DIR --only {step} --rounds {rounds}`"
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(with_section(text, step, f"{command}; {where}\n\n{printed.getvalue().strip()}"))
