"""estimator-slim optimize: a servable of which a slim one is written, or many of them."""

from __future__ import annotations

import argparse
import itertools
import sys
from typing import TYPE_CHECKING

import estimator_slim
from estimator_slim.choosing import resolve
from estimator_slim.cli import exit_codes
from estimator_slim.cli.parsing import add_json, add_tags, require_servable_on_disk
from estimator_slim.cli.shown import shown
from estimator_slim.cli.wording import as_flags
from estimator_slim.errors import OptionError
from estimator_slim.options import FUNCTION
from estimator_slim.options import OPTIONS as EVERY
from estimator_slim.paths import as_text
from estimator_slim.report import Report, left_alone_text, to_json

if TYPE_CHECKING:
    from estimator_slim.fleet import Result

TAKES = "SRC [DST] | SRC... --out DIR"
HELP = "Writes a slim servable of a servable, or of each of many."
OPTIONS = tuple(name for name, one in EVERY.items() if one.flag is not None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    parser.add_argument("sources", metavar="SRC", nargs="+", help="folder of one exported version; it "
                        "is not changed. A second one is DST, the folder to write, which must not exist "
                        "(default: <SRC's parent>-slim/<SRC's name>). With --out or --jobs there may be "
                        "many, and patterns in quotes, as 'models/*/export/best/*'")
    parser.add_argument("--checkpoint", help="the training checkpoint that SRC was exported from, or "
                        "its model_dir: it tells which rows of tables were trained")
    parser.add_argument("--out", metavar="DIR", help="of many: the folder to write to, in which each "
                        "keeps its path (default: each goes beside its original)")
    parser.add_argument("--relative_to", metavar="DIR", help="of many: a folder that all are in, from "
                        "which each keeps its path (default: the deepest; of a pattern, what stands "
                        "before its first wildcard)")
    parser.add_argument("--jobs", type=int, metavar="N", help="of many: how many are optimized at once "
                        "(default: as many as there are cores, and as memory allows)")
    parser.add_argument("--memory", type=int, metavar="MB", help="of many: that all may take together "
                        "(default: 80 %% of what is available)")
    parser.add_argument("--summary", metavar="FILE", help="of many: what became of all, as JSON "
                        "(default: summary.json in --out)")
    add_tags(parser)
    add_json(parser)
    parser.set_defaults(check=_check)


def run(arguments: argparse.Namespace) -> int:
    """Prints what was done; returns the exit code."""
    if not resolve(FUNCTION).enabled:
        print("estimator-slim: off (--slim_enabled=false); nothing is written for "
              f"{' '.join(arguments.sources)}")
        return exit_codes.DONE
    return _many(arguments) if _means_many(arguments) else _one(arguments)


def _check(arguments: argparse.Namespace) -> None:
    """What can be told before TensorFlow is loaded; patterns are no such thing."""
    source, *_ = arguments.sources
    if _wants_many(arguments):
        return
    if len(arguments.sources) > 2:
        raise OptionError(f"expected SRC and DST, got {len(arguments.sources)} folders; give --out=DIR, "
                          "or --jobs=N, where each is a source")
    if not set(source) & set("*?["):
        require_servable_on_disk(as_text(source, "SRC"))


def _wants_many(arguments: argparse.Namespace) -> bool:
    return bool(arguments.out) or arguments.jobs is not None


def _means_many(arguments: argparse.Namespace) -> bool:
    from estimator_slim.fleet import is_pattern  # loads TensorFlow
    return _wants_many(arguments) or len(arguments.sources) == 1 and is_pattern(arguments.sources[0])


def _one(arguments: argparse.Namespace) -> int:
    with shown(sys.stderr if arguments.json else sys.stdout):
        report = estimator_slim.optimize_saved_model(*arguments.sources, tags=arguments.tags,
                                                     checkpoint=arguments.checkpoint)
    if report is None:
        return exit_codes.FAILED
    print(to_json(report) if arguments.json else _told(report))
    return exit_codes.HARDLY_VERIFIED if _is_hardly_verified(report) else exit_codes.DONE


def _many(arguments: argparse.Namespace) -> int:
    from estimator_slim.fleet import table_row
    options = {"checkpoint": arguments.checkpoint} if arguments.checkpoint else {}
    summary = arguments.summary or (arguments.out and f"{arguments.out.rstrip('/')}/summary.json")

    rows = itertools.chain([table_row(None)], itertools.repeat(""))

    def tell(result: Result) -> None:
        if not arguments.json:
            print(*filter(None, [next(rows), as_flags(table_row(result))]), sep="\n", flush=True)
    found = estimator_slim.optimize_saved_models(
        arguments.sources, arguments.out, relative_to=arguments.relative_to, jobs=arguments.jobs,
        memory=arguments.memory and arguments.memory * 10**6, summary=summary, tags=arguments.tags,
        tell=tell, **options)
    print(found.to_json() if arguments.json else found)
    if not found.all_done:
        return exit_codes.FAILED
    hardly = any(_is_hardly_verified(one.report) for one in found.results)
    return exit_codes.HARDLY_VERIFIED if hardly else exit_codes.DONE


def _is_hardly_verified(report: Report) -> bool:
    found = report.verification
    return found is not None and bool(found.unverified or not found.outputs)


def _told(report: Report) -> str:
    """What came of it: what was left alone, how near the answers are, the sizes, where it all is."""
    import tensorflow as tf

    from estimator_slim.record_files import record_path
    lines = [left_alone_text(report)] if any(step.skipped for step in report.steps) else []
    if report.verification is not None:
        lines.append(str(report.verification))
    record = record_path(report.destination, resolve(FUNCTION).report)
    is_kept = record is not None and tf.io.gfile.exists(record)
    return "\n".join([*lines, str(report), f"written: {report.destination}",
                      *([f"record: {record}"] if is_kept else [])])
