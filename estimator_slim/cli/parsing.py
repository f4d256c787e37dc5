"""What stands on the command line → one namespace: argparse reads it, the table of options says what.

The library's options are absl flags, which a program of its own parses with `app.run`. The command reads
them by argparse, for help and errors of its own, and hands over what it read to the flags.
"""

from __future__ import annotations

import argparse
import difflib
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from absl import flags

from estimator_slim.cli import exit_codes
from estimator_slim.errors import OptionError
from estimator_slim.options import OPTIONS
from estimator_slim.paths import as_text
from estimator_slim.version import VERSION
from estimator_slim.whereabouts import require_servable

PROGRAM = "estimator-slim"
_BOOLEANS = {f"--slim_{name}" for name, one in OPTIONS.items() if one.flag is bool}
_OF_ABSL = {"verbosity": "what is logged: -1 warnings alone (the default), 0 what is done, 1 everything",
            "flagfile": "a file with more options, one a line"}


class Command(Protocol):
    """What a file of this folder has that is a command."""

    TAKES: str  # what stands behind its name: "SRC [DST]"
    HELP: str   # what it does, as a sentence

    @property
    def OPTIONS(self) -> Sequence[str]:
        """Those of the library's options that it reads."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Says to `parser` what the command takes besides."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Does the work and prints what came of it; returns one of the exit codes."""


def parse(argv: Sequence[str], commands: Mapping[str, Command]) -> argparse.Namespace:
    """The command and its arguments; ends the process where help was asked for or a call is wrong."""
    parser, parsers = _parser(commands)
    if not argv:
        parser.exit(exit_codes.WRONG_CALL, parser.format_help())
    if not argv[0].startswith("-") and argv[0] not in commands:
        parser.error(f"there is no command {argv[0]!r}{_did_you_mean(argv[0], commands)}")
    arguments, unknown = parser.parse_known_args(
        [_spelled_out(one) for one in _command_first(argv, commands)])
    if unknown:
        option, taken = unknown[0].partition("=")[0], parsers[arguments.command]
        if option.removeprefix("--slim_") in OPTIONS:
            taken.error(f"{arguments.command} takes no {option}")
        taken.error(f"{unknown[0]} is not known{_did_you_mean(option, _options_of(taken))}")
    return arguments


def look_first(arguments: argparse.Namespace) -> None:
    """Looks at the servables before TensorFlow is loaded, and does what the command has for `check`.

    Raises:
      SourceError: one is none.
    """
    for one in vars(arguments).values():
        if isinstance(one, _Servable):
            require_servable_on_disk(one)
    if "check" in arguments:
        arguments.check(arguments)


def require_servable_on_disk(path: str) -> None:
    """Raises a SourceError where there is none at a path of this machine."""
    if "://" not in path:
        require_servable(path)


def set_flags(arguments: argparse.Namespace) -> None:
    """Gives the flags of the library the values that were read for them.

    Raises:
      flags.Error: one is not what that flag takes.
    """
    given = [f"--{name}={value}" for name, value in vars(arguments).items()
             if value is not None and (name in _OF_ABSL or name.startswith("slim_"))]
    flags.FLAGS([PROGRAM, *given])


def add_servable(parser: argparse.ArgumentParser, name: str, help: str) -> None:
    """An argument that names a servable; it is looked at first."""
    parser.add_argument(name, metavar=name.upper(), help=help,
                        type=functools.partial(_servable, name.upper()))


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`, for a command that has a result to read by a program."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_tags(parser: argparse.ArgumentParser) -> None:
    """`--tags`, for a command that reads a servable."""
    parser.add_argument("--tags", type=_tags, default=["serve"],
                        help="of the MetaGraph, comma-separated; nothing (--tags=) for one without "
                        "tags, as modules of TensorFlow Hub have (default: serve)")


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(exit_codes.WRONG_CALL, f"{PROGRAM}: {message}; see {self.prog} --help\n")


def _parser(commands: Mapping[str, Command]) -> tuple[_Parser, dict[str, _Parser]]:
    """The parser, and that of each command."""
    shape: dict[str, Any] = {"allow_abbrev": False, "epilog": exit_codes.table(),
                             "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = _Parser(PROGRAM, description="Makes servables of TensorFlow Estimators small and fast.",
                     usage=f"{PROGRAM} COMMAND ...", **shape)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}",
                        help="show the version and exit")
    found = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=PROGRAM,
                                  title=f"commands (`{PROGRAM} COMMAND --help` tells of each)")
    parsers = {name: found.add_parser(name, help=command.HELP, description=command.HELP,
                                      usage=f"{PROGRAM} {name} {command.TAKES} [options]", **shape)
               for name, command in commands.items()}
    for name, command in commands.items():
        _add(parsers[name], command)
    return parser, parsers


def _add(parser: argparse.ArgumentParser, command: Command) -> None:
    command.add_arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show where in the program an error arose")
    for name, meaning in _OF_ABSL.items():
        parser.add_argument(f"--{name}", metavar=name.upper(), help=meaning)
    group = parser.add_argument_group("options of the library")
    for name in command.OPTIONS:
        one = OPTIONS[name]
        kind = one.flag if one.flag in (int, float) else str
        choices = ("true", "false") if one.flag is bool else one.flag
        group.add_argument(f"--slim_{name}", type=kind,  # type: ignore[arg-type]
                           choices=choices if isinstance(choices, tuple) else None,
                           metavar=None if isinstance(choices, tuple) else name.upper(),
                           help=_with_default(one.help, one.default))


def _with_default(text: str, default: object) -> str:
    shown = str(default).lower() if isinstance(default, bool) else default
    return text.replace("%", "%%") + (f" (default: {shown})" if default not in (None, "") else "")


def _command_first(argv: Sequence[str], commands: Mapping[str, Command]) -> Sequence[str]:
    """The arguments with the command before its options, which may stand on either side of it."""
    at = next((number for number, one in enumerate(argv) if one in commands), 0)
    if {"-h", "--help", "--version"}.isdisjoint(argv[:at]):
        return [*argv[at:at + 1], *argv[:at], *argv[at + 1:]]
    return argv


def _spelled_out(argument: str) -> str:
    """`--slim_fallback` and `--noslim_fallback`, as absl takes them, with their value."""
    if argument in _BOOLEANS:
        return f"{argument}=true"
    if argument.startswith("--no") and f"--{argument[4:]}" in _BOOLEANS:
        return f"--{argument[4:]}=false"
    return argument


def _options_of(parser: argparse.ArgumentParser) -> list[str]:
    return [one for action in parser._actions for one in action.option_strings if one.startswith("--")]


def _did_you_mean(unknown: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(unknown, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


class _Servable(str):
    """The path of a servable."""


def _servable(name: str, text: str) -> _Servable:
    try:
        return _Servable(as_text(text, name))
    except OptionError as e:
        raise argparse.ArgumentTypeError(str(e)) from e


def _tags(text: str) -> list[str]:
    return [one for one in text.split(",") if one]
