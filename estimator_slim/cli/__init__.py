"""The command `estimator-slim`, the offline way from a shell: a file a command, and a table of them.

A command is added by one file in this folder and its line in `_COMMANDS`. The file has

    TAKES = "SRC [DST]"                  what stands behind the command's name
    HELP = "what it does."               one sentence, which the list of commands shows
    OPTIONS = ("transforms", "imports")  those of the library's options (options.py) that it reads
    def add_arguments(parser): ...       what it takes besides, by argparse; see `add_json`, `add_tags`
    def run(arguments) -> int: ...       does it, prints results to stdout, returns one of exit_codes.py

`run` raises an EstimatorSlimError for whatever is wrong, and this module makes one sentence of it. It
finds the options that were given as `options.resolve(FUNCTION)` does, in the flags. Help has to come at
once: no file of this folder imports TensorFlow, or what imports it, but in `run`. It is loaded, without
its noise, before `run` of a command that has OPTIONS; another calls `quiet.load_tensorflow()`.
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import threading
import traceback
from collections.abc import Sequence

from absl import flags

from estimator_slim.cli import bench, compare, exit_codes, inspect, optimize, quiet, report, sync
from estimator_slim.cli.parsing import PROGRAM, Command, look_first, parse, set_flags
from estimator_slim.cli.unread import unread_is_lost
from estimator_slim.cli.wording import as_flags
from estimator_slim.errors import EstimatorSlimError, OptionError
from estimator_slim.whereabouts import LOOKING

__all__ = ["main"]

_COMMANDS: dict[str, Command] = {"inspect": inspect, "optimize": optimize, "compare": compare,
                                 "bench": bench, "report": report, "sync": sync}


def main(argv: Sequence[str] | None = None) -> int:
    """The `estimator-slim` command; returns its exit code. `argv`: what stands behind its name."""
    with unread_is_lost():
        code = _main(sys.argv[1:] if argv is None else argv)
    is_asking = any(thread.name == LOOKING for thread in threading.enumerate())
    if is_asking or "tensorflow_io" in sys.modules:  # whose s3:// aborts where a process just ends
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _main(given: Sequence[str]) -> int:
    try:
        return _run(parse(given, _COMMANDS))
    except KeyboardInterrupt:
        return _told("interrupted", exit_codes.INTERRUPTED)
    except Exception as e:
        if "--debug" in given:
            traceback.print_exc()
        return _told(*_explained(e))


def _run(arguments: argparse.Namespace) -> int:
    command = _COMMANDS[arguments.command]
    look_first(arguments)
    quiet.log_plainly()
    if command.OPTIONS:
        quiet.load_tensorflow()
    set_flags(arguments)
    return command.run(arguments)


def _explained(error: Exception) -> tuple[str, int]:
    """What is said of an error, and the exit code."""
    if isinstance(error, flags.Error):
        return str(error).removeprefix("flag ").strip(), exit_codes.WRONG_CALL
    if isinstance(error, OptionError):
        return str(error), exit_codes.WRONG_CALL
    if isinstance(error, EstimatorSlimError):
        return str(error), exit_codes.FAILED
    return (f"{type(error).__name__}: {error}; this should not happen. Please report it, with what "
            "--debug shows"), exit_codes.FAILED


def _told(message: str, code: int) -> int:
    print(f"{PROGRAM}: {as_flags(message)}", file=sys.stderr)
    return code
