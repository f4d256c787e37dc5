"""The absl flag of an option, there once the package is imported; a program's own `--help` lists it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from absl import flags

from estimator_slim.errors import OptionError

_PACKAGE = "estimator_slim"  # under whose name `--helpfull` lists them
_DEFINE: dict[Any, Callable[..., Any]] = {
    str: flags.DEFINE_string, bool: flags.DEFINE_boolean, int: flags.DEFINE_integer,
    float: flags.DEFINE_float}


def define(name: str, kind: Any, default: Any, check: Callable[[str, Any], Any], help: str) -> None:
    """Defines `--slim_<name>`.

    Args:
      name: of the option.
      kind: what the flag takes: `str`, `bool`, `int`, `float` or a tuple of choices.
      default: where nobody chose.
      check: raises an OptionError for what it must not be.
      help: what it is.
    """
    flag = f"slim_{name}"
    if isinstance(kind, tuple):
        flags.DEFINE_enum(flag, default, kind, help, module_name=_PACKAGE)
    else:
        _DEFINE[kind](flag, default, help, module_name=_PACKAGE)
    flags.register_validator(flag, functools.partial(_is_valid, name, default, check))
    flags.FLAGS.register_key_flag_for_module(_program(), flags.FLAGS[flag])


def _program() -> str:
    """As absl names the main module, whose flags alone `--help` lists."""
    return (getattr(sys, "argv", None) or [""])[0]  # a Python within another program may have none


def _is_valid(name: str, default: Any, check: Callable[[str, Any], Any], value: Any) -> bool:
    """As absl asks it; of a default it is known, so that parsing the flags loads no TensorFlow."""
    try:
        if value != default:
            check(name, value)
    except OptionError as e:
        said = str(e)  # of the argument `bits`, where absl says of the flag --slim_bits
        raise flags.ValidationError(said.removeprefix(f"{name}: ").removeprefix(f"{name}, ")) from e
    return True
