"""What was chosen of the options: by an argument in code, by a flag, or by nobody.

An argument in code wins over the flag, and the flag over the default; where nobody parsed the flags (a
notebook), the defaults hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from absl import flags

from estimator_slim import _option_checks as checks
from estimator_slim.errors import OptionError
from estimator_slim.layout import REPLACE
from estimator_slim.options import BY_CODE, BY_DEFAULT, BY_FLAG, LISTS, OPTIONS, Options
from estimator_slim.presets import AUTO, MOST_LOST, PRESETS, with_bits


def given(taker: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options among the arguments of a taker's function, which are its `locals()`."""
    return {name: arguments[name] for name, one in OPTIONS.items() if taker in one.takers}


def resolve(taker: str, arguments: Mapping[str, Any] | None = None, **defaults: Any) -> Options:
    """The options: each argument, or its flag's value where it is None.

    Args:
      taker: EXPORTER or FUNCTION; what it does not take stays at its default.
      arguments: what code chose, by option; None: nothing.
      defaults: of this taker, where they are others than the table's.

    Raises:
      OptionError: a value is not one of those that the flag takes.
    """
    values: dict[str, Any] = {}
    chosen_by: dict[str, str] = {}
    arguments = arguments or {}
    list_by = _source_of_the_list(arguments)
    for name, one in OPTIONS.items():
        value, by = one.default, BY_DEFAULT
        if taker in one.takers:
            value, by = _choose(name, arguments.get(name))
        if name in LISTS and by != list_by:
            value, by = one.default, BY_DEFAULT
        if by == BY_DEFAULT:
            value = defaults.get(name, value)
        values[name], chosen_by[name] = one.check(name, value), by
    if values["bits"] is not None or values["preset"] is not None:
        text = with_bits(values["bits"]) if values["bits"] else PRESETS[values["preset"]][0]
        values["transforms"] = checks.transforms("preset", text)
    if values["preset"] == AUTO and values["max_accuracy_loss"] is None:
        values["max_accuracy_loss"] = MOST_LOST
    if values["layout"] == REPLACE:
        _refuse_another_place(chosen_by)
    return Options(**values, chosen_by=chosen_by)


def _source_of_the_list(arguments: Mapping[str, Any]) -> str:
    """Who chose what is run: `code`, which beats flags, or the flags, or the default.

    Raises:
      OptionError: one source chose two of the three.
    """
    for source, prefix in (BY_CODE, ""), (BY_FLAG, "--slim_"):
        found = [f"{prefix}{name}" for name in LISTS if _choose(name, arguments.get(name))[1] == source]
        if len(found) > 1:
            raise OptionError(f"{found[0]} and {found[1]} exclude each other: each says which list of "
                              "transforms is run; give one of them")
        if found:
            return source
    return BY_DEFAULT


def _refuse_another_place(chosen_by: Mapping[str, str]) -> None:
    """Where a layout in code replaces, flags for the others are of no matter."""
    others = {BY_CODE} if chosen_by["layout"] == BY_CODE else {BY_CODE, BY_FLAG}
    for name in ("suffix", "root"):
        if chosen_by[name] in others:
            raise OptionError(f"layout and {name} exclude each other: with layout=replace a slim "
                              f"servable takes its original's place; leave {name} (--slim_{name}) out, "
                              "or the layout (--slim_layout)")


def chosen(name: str, argument: Any) -> Any:
    """The argument, or the value of `--slim_<name>` where it is None; not checked."""
    return _choose(name, argument)[0]


def _choose(name: str, argument: Any) -> tuple[Any, str]:
    """What was chosen, and by whom: a flag chose if it stands on the command line or was set in code."""
    if argument is not None:
        return argument, BY_CODE
    if OPTIONS[name].flag is None:
        return OPTIONS[name].default, BY_DEFAULT
    flag = flags.FLAGS[f"slim_{name}"]
    return flag.value, BY_FLAG if flag.present or not flag.using_default_value else BY_DEFAULT
