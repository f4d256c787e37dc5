"""The command `estimator-slim`, the offline way from a shell: a file a command, and absl's flags."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from absl import app, flags, logging

from estimator_slim.cli import compare, optimize
from estimator_slim.errors import EstimatorSlimError

__all__ = ["main"]

_COMMANDS = {"optimize": optimize, "compare": compare}

flags.DEFINE_list("tags", ["serve"], "Tags of the MetaGraph to optimize.")


def main() -> None:
    """The `estimator-slim` command."""
    _explain()
    app.run(_run)


class _Parser(argparse.ArgumentParser):
    """Reads what absl leaves of the command line when it has taken the flags."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"estimator-slim: {message}\n\n{_usage()}\n")


def _run(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv[1:])
    logging.set_verbosity(logging.WARNING)
    try:
        return _COMMANDS[arguments.command].run(arguments)
    except EstimatorSlimError as e:
        print(f"estimator-slim: {e}", file=sys.stderr)
        return 1


def _parser() -> _Parser:
    parser = _Parser(add_help=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in _COMMANDS.items():
        command.add_arguments(commands.add_parser(name, add_help=False))
    return parser


def _usage() -> str:
    lines = [f"estimator-slim {name} {command.TAKES} [--slim_transforms='...'] [--tags=serve]"
             for name, command in _COMMANDS.items()]
    does = [f"{name} {command.DOES}" for name, command in _COMMANDS.items()]
    return "\n".join(["usage: " + "\n       ".join(lines), "", *does,
                      "`estimator-slim --help` lists the flags."])


def _explain() -> None:
    """Lets --help show the usage and these flags; absl asks the module that was started for them."""
    sys.modules["__main__"].__doc__ = f"{_usage()}\n"
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        for flag in defined if module.startswith("estimator_slim.") else []:
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
