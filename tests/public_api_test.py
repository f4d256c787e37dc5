"""What programs call does not change by accident: the public names and how each is called.

After a change on purpose, of which CHANGELOG.md tells:

    python -m tests.public_api_test    # writes public_api.txt anew
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import estimator_slim

PINNED = Path(__file__).with_name("public_api.txt")


def described() -> str:
    return "\n".join(line for name in sorted(estimator_slim.__all__)
                     for line in _lines(name, getattr(estimator_slim, name))) + "\n"


def _lines(name: str, value: Any) -> Iterator[str]:
    if not callable(value):
        yield name
    elif inspect.isclass(value):
        parents = ", ".join(one.__name__ for one in value.__mro__[1:-1])
        yield f"class {name}({parents})"
        yield from (f"  {member}" for member in _members(value))
    else:
        yield f"{name}{_arguments(value)}"


def _members(kind: type) -> Iterator[str]:
    is_plain = dataclasses.is_dataclass(kind)
    fields = {field.name for field in dataclasses.fields(kind)} if is_plain else set()
    yield from sorted(fields)
    for name, member in sorted(vars(kind).items()):
        if name == "__init__" and not fields:
            yield f"__init__{_arguments(member)}"
        elif not name.startswith("_") and name not in fields:
            yield name if isinstance(member, property) else f"{name}{_arguments(member)}"


def _arguments(value: Any) -> str:
    """The names of the arguments, a line each; `=` behind those that may be left out."""
    value = getattr(value, "__func__", value)
    parts = []
    for one in inspect.signature(value).parameters.values():
        if one.kind is one.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        parts.append(one.name + ("" if one.default is one.empty else "="))
    return "".join(f"\n    {part}" for part in parts if part != "self")


def test_public_names_are_called_as_they_were() -> None:
    assert described() == PINNED.read_text(encoding="utf-8")


if __name__ == "__main__":
    PINNED.write_text(described(), encoding="utf-8")
