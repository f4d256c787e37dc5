"""The README's tables list what there is: every transform, option, flag and default."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from estimator_slim.options import DEFAULT, OPTIONS
from estimator_slim.transforms import TRANSFORMS, transform_list
from estimator_slim.transforms.base import Transform

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`]+)`")


def rows(header: str) -> list[list[str]]:
    """The rows, as lists of cells, of the table whose header line starts so."""
    lines = README.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(header)) + 2
    table = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def own_options(kind: type[Transform]) -> list[str]:
    return [f.name for f in dataclasses.fields(kind) if f.name != "ignore_errors"]


def test_the_transforms_table_lists_every_transform_and_no_other() -> None:
    assert sorted(CODE.findall(row[0])[0] for row in rows("| transform ")) == sorted(TRANSFORMS)


def test_the_transforms_table_lists_every_option_and_no_other() -> None:
    for name, options, *_ in rows("| transform "):
        kind = TRANSFORMS[name.strip("`")]
        assert sorted(CODE.findall(options)) == sorted(own_options(kind)), name


def test_the_transforms_table_says_by_whom_and_why() -> None:
    for name, _, _, by in rows("| transform "):
        who, _, why = by.partition(": ")
        assert who == TRANSFORMS[name.strip("`")].by, name
        assert bool(why) == (who != "engine"), name


def test_the_flags_table_lists_every_flag_with_its_default() -> None:
    defined = {f"--slim_{name}": one.default for name, one in OPTIONS.items() if one.flag}
    listed = {CODE.findall(name)[0]: default for name, default, _ in rows("| flag ")}
    assert list(listed) == list(defined)
    assert listed.pop("--slim_transforms") == "the list above"
    assert defined.pop("--slim_transforms") == DEFAULT
    for name, default in listed.items():
        value = defined[name]
        shown = str(value).lower() if isinstance(value, bool) else value
        assert default == f"`{shown}`", name


def test_what_the_flags_table_says_of_a_flag_names_its_other_choices() -> None:
    for name, default, meaning in rows("| flag "):
        kind = OPTIONS[CODE.findall(name)[0][len("--slim_"):]].flag
        others = {*kind} - {default.strip("`")} if isinstance(kind, tuple) else set()
        assert others <= {*CODE.findall(meaning)}, name


def test_the_default_list_is_the_one_that_runs() -> None:
    shown = re.search(r"The default list is\s+`([^`]+)`", README)
    assert shown is not None
    assert shown[1] == DEFAULT


def test_only_quantize_weights_is_lossy_in_the_default_list() -> None:
    assert [t.text_name for t in transform_list(DEFAULT) if t.lossy] == ["quantize_weights"]
