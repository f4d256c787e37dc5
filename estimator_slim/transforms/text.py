"""The Graph Transform Tool's text form of a transform list, read strictly.

    strip_unused_nodes fold_constants(ignore_errors=true) remove_nodes(op=Identity, op=CheckNumerics)

White space (and a backslash at a line's end, as in shell commands) separates transforms, commas
separate options; a value with spaces, commas or parentheses is quoted. An option given several times
fills a tuple field. Unlike the tool's own parser, which drops what it does not understand, an unknown
name, a wrong value or an open parenthesis is an error that names the column.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing
from collections.abc import Iterable, Mapping

from estimator_slim.errors import OptionError
from estimator_slim.transforms.base import BARE, KINDS, Transform, is_a, option_types

_SPACE = re.compile(r"(?:\s|\\(?=\s|$))*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")  # with the "-" that some write, for the error to show
_MEANT = {  # names that the Graph Transform Tool's README gives to transforms that have others
    "fuse_convolutions": ("fuse_pad_and_conv", "fuse_resize_and_conv", "fuse_resize_pad_and_conv"),
    "obsfucate_names": ("obfuscate_names",)}
_VALUE = re.compile(r"\"([^\"]*)\"|'([^']*)'|" + f"({BARE.pattern})")
_TRANSFORM, _OPTION, _OPTION_VALUE = "the name of a transform", "the name of an option", "a value for "
_HINTS = (  # what is expected ("": anything), what stands there instead, what to do about it
    (_TRANSFORM, r"[,;]", "transforms are separated by spaces"),
    (_TRANSFORM, r"--?\w", "give the list alone, without flags"),
    (_TRANSFORM, r"[\"'“”‘’\[]", "give the list alone, without quotes or brackets around it"),
    ("", r"[^\"'=()]*[“”‘’]", "quotes are \" or ', not “ ” ‘ ’"),
    (_OPTION, r"[-\d.]", 'put a value with commas in quotes, as in shape="1,299,299,3"'),
    (_OPTION_VALUE, r"[\"']", "this quote is never closed"))


def parse(text: str, table: Mapping[str, type[Transform]]) -> list[Transform]:
    """The transforms that `text` lists.

    Args:
      text: a transform list; may be empty.
      table: name → class of every transform there is.

    Raises:
      OptionError: with the column (from 1) and, for an unknown name, the nearest right one.
    """
    return list(_Parser(text, table).transforms())


class _Parser:
    """A position that moves over the text."""

    def __init__(self, text: str, table: Mapping[str, type[Transform]]):
        self.text, self.table, self.at = text, table, 0

    def transforms(self) -> Iterable[Transform]:
        while self._skip_space() < len(self.text):
            yield self._transform()

    def _transform(self) -> Transform:
        start = self.at
        name = self._match(_NAME, _TRANSFORM)
        if name not in self.table:
            raise self._error(start, f"unknown transform {name!r}{nearest(name, self.table)}")
        kind = self.table[name]
        options = self._options(kind) if self._accept("(") else {}
        try:
            return kind(**options)
        except OptionError as e:
            raise self._error(start, str(e)) from e

    def _options(self, kind: type[Transform]) -> dict:
        opened = self.at
        options: dict = {}
        types = option_types(kind)
        fields = {f.name: types[f.name] for f in dataclasses.fields(kind)}
        more = not self._accept(")")
        while more:
            if self._skip_space() >= len(self.text):
                raise self._error(opened - 1, "this parenthesis is never closed")
            self._option(kind, fields, options)
            more = self._accept(",")
            if not more and not self._accept(")"):
                raise self._unexpected("',' or ')'")
        return options

    def _option(self, kind: type[Transform], fields: Mapping, options: dict) -> None:
        start = self.at
        key = self._match(_NAME, _OPTION)
        if key not in fields:
            raise self._error(start, f"{kind.text_name} has no option {key!r}{nearest(key, fields)}")
        if not self._accept("="):
            raise self._unexpected(f"'=' after {key}")
        self._skip_space()
        at = self.at
        text = self._match(_VALUE, _OPTION_VALUE + key)
        value = _convert(text, fields[key])
        if value is None:
            raise self._error(at, f"{kind.text_name}({key}=...) takes {KINDS[fields[key]]}, "
                                  f"got {text!r}")
        if key in options and not isinstance(value, tuple):
            raise self._error(start, f"{key} is given twice")
        options[key] = options.get(key, ()) + value if isinstance(value, tuple) else value

    def _skip_space(self) -> int:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.at

    def _peek(self) -> str:
        self._skip_space()
        return self.text[self.at:self.at + 1]

    def _accept(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self.at += 1
        return True

    def _match(self, pattern: re.Pattern, what: str) -> str:
        self._skip_space()
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self._unexpected(what)
        self.at = found.end()
        return next((g for g in found.groups() if g is not None), found.group())

    def _unexpected(self, expected: str) -> OptionError:
        seen = repr(self.text[self.at]) if self._peek() else "the end of the text"
        hint = next((f"; {todo}" for what, there, todo in _HINTS
                     if expected.startswith(what) and re.compile(there).match(self.text, self.at)), "")
        return self._error(self.at, f"expected {expected}, got {seen}{hint}")

    def _error(self, at: int, message: str) -> OptionError:
        return OptionError(f"transforms, column {at + 1}: {message}\n  {self._line()}\n  "
                           + " " * at + "^")

    def _line(self) -> str:
        return re.sub(r"\s", " ", self.text)


def _convert(text: str, kind: typing.Any) -> typing.Any:
    """`text` as a value of `kind`, or None when it is none."""
    if kind is bool:
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower())
    if kind is int or kind is float or kind == typing.Optional[float]:
        try:
            value = int(text) if kind is int else float(text)
            return value if is_a(value, kind) else None
        except ValueError:
            return None
    return text if kind is str else (text,)


def nearest(name: str, choices: Iterable[str]) -> str:
    """A hint at the choice most like `name`, or at all of them."""
    known = list(choices)
    if name in _MEANT and set(_MEANT[name]) <= set(known):
        return f"; did you mean {', '.join(map(repr, _MEANT[name]))}?"
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else f"; there are {', '.join(known)}"
