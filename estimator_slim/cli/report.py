"""estimator-slim report: pages of records, made from what lies there; TensorFlow is not needed."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from urllib.parse import quote

from estimator_slim.cli import exit_codes
from estimator_slim.cli.parsing import PROGRAM
from estimator_slim.errors import DestinationError, RecordError
from estimator_slim.paths import as_text, unfinished
from estimator_slim.report import load_report, overview_of, page_of, records_in

TAKES = "RECORD|MODEL_DIR [PAGE]"
HELP = "Makes a page to look at of a record, or of all records of a model."
OPTIONS = ()
OVERVIEW = "slim-report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    parser.add_argument("record", metavar="RECORD|MODEL_DIR", help="a record, such as "
                        "export/best-slim-report/1700000000.json, or a folder with records: a "
                        "model_dir, its export/, or one of records alone")
    parser.add_argument("page", metavar="PAGE", nargs="?", help="the file of HTML to write (default: "
                        f"beside the record, or {OVERVIEW} in the folder)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the page and prints where it is."""
    given = os.path.abspath(as_text(arguments.record, "RECORD"))
    chosen = as_text(arguments.page, "PAGE") if arguments.page else ""
    if os.path.isdir(given):
        page = Path(chosen or os.path.join(given, OVERVIEW))
        _write(page, _overview(given, page))
    else:
        page = Path(chosen or _page_of(given))
        _write(page, page_of(load_report(given)))
    print(page)
    return exit_codes.DONE


def _overview(folder: str, page: Path) -> str:
    """The page of a folder; each of its records gets its own beside it, where one can be written."""
    records, passed_over = records_in(folder)
    for why in passed_over:
        print(f"{PROGRAM}: passed over: {why}", file=sys.stderr)
    if not records:
        raise RecordError(f"{folder}: expected records, such as export/best-slim-report/1.json, and "
                          "there is none. Give a model_dir, its export/, or a folder of records")
    links = {}
    for path, report in records.items():
        own = Path(_page_of(path))
        try:
            _write(own, page_of(report))
        except DestinationError:
            continue
        links[path] = _link(own, page)
    return overview_of(folder, records, links)


def _page_of(record: str) -> str:
    return f"{os.path.splitext(record)[0]}.html"


def _link(own: Path, page: Path) -> str:
    return "/".join(map(quote, Path(os.path.relpath(own, page.absolute().parent)).parts))


def _write(path: Path, text: str) -> None:
    """Whole, by a rename."""
    part = Path(unfinished(str(path)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):  # where the folder is no folder
            part.unlink(missing_ok=True)
        raise DestinationError(f"{path}: the page cannot be written ({e.strerror}); give another file "
                               "for it behind the record") from e
