"""estimator-slim sync: slim servables that are missing in a model_dir are made up for."""

from __future__ import annotations

import argparse

from estimator_slim.choosing import resolve
from estimator_slim.cli import exit_codes
from estimator_slim.errors import EstimatorSlimError
from estimator_slim.options import EXPORTER
from estimator_slim.options import OPTIONS as EVERY

TAKES = "MODEL_DIR [NAME ...]"
HELP = "Makes up for slim servables that an Estimator's exporters lack."
OPTIONS = tuple(name for name, one in EVERY.items()
                if one.flag is not None and name not in ("background", "enabled", "on_error"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    parser.add_argument("model_dir", metavar="MODEL_DIR", help="the Estimator's, in which `export` is")
    parser.add_argument("names", metavar="NAME", nargs="*", help="of exporters (default: all that have "
                        "slim servables)")
    parser.add_argument("--check", dest="only_check", action="store_true", help="write nothing; exit "
                        "code 1 if the newest version of an exporter lacks its slim servable, or "
                        "another that would be made")


def run(arguments: argparse.Namespace) -> int:
    """Prints what is missing and what became of it; returns the exit code."""
    from estimator_slim.exporter import exports_in  # loads TensorFlow
    complete = True
    for export in exports_in(arguments.model_dir.rstrip("/"), resolve(EXPORTER), arguments.names):
        for one in export.lacking():
            if one.left_alone:
                print(f"{one.original}: left alone: {one.left_alone}")
            elif arguments.only_check:
                print(f"{one.original}: has no slim servable")
                complete = False
            else:
                try:
                    export.make_up(one)
                    print(f"{one.slim}: made")
                except EstimatorSlimError as e:
                    print(f"{one.original}: {e}")
                    complete = False
        if export.newest_lacks_its_twin():
            print(f"{export.name}: the newest version has no slim servable")
            complete = False
    return exit_codes.DONE if complete else exit_codes.FAILED
