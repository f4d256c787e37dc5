"""estimator-slim optimize: one servable of which a slim one is written."""

from __future__ import annotations

import argparse

import estimator_slim
from estimator_slim.choosing import resolve
from estimator_slim.cli import exit_codes
from estimator_slim.cli.parsing import add_json, add_tags
from estimator_slim.options import FUNCTION
from estimator_slim.options import OPTIONS as EVERY
from estimator_slim.report import Report, to_json

TAKES = "SRC [DST]"
HELP = "Writes a slim servable of a servable."
OPTIONS = tuple(name for name, one in EVERY.items() if one.flag is not None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    parser.add_argument("src", metavar="SRC", help="folder of one exported version; it is not changed")
    parser.add_argument("dst", metavar="DST", nargs="?", help="folder to write, which must not exist "
                        "(default: <SRC's parent>-slim/<SRC's name>)")
    parser.add_argument("--checkpoint", help="the training checkpoint that SRC was exported from, or "
                        "its model_dir: it tells which rows of tables were trained")
    add_tags(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints what was done; returns the exit code."""
    if not resolve(FUNCTION).enabled:
        print(f"estimator-slim: off (--slim_enabled=false); nothing is written for {arguments.src}")
        return exit_codes.DONE
    report = estimator_slim.optimize_saved_model(arguments.src, arguments.dst, tags=arguments.tags,
                                                 checkpoint=arguments.checkpoint)
    if report is None:
        return exit_codes.FAILED
    print(to_json(report) if arguments.json else _told(report))
    found = report.verification
    hardly = found is not None and (found.unverified or not found.outputs)
    return exit_codes.HARDLY_VERIFIED if hardly else exit_codes.DONE


def _told(report: Report) -> str:
    """What was done, a line a step."""
    lines = []
    for step in report.steps:
        lines.append(f"{step.transform}: {step.nodes_before} -> {step.nodes_after} nodes")
        lines += [f"  left {node or 'everything'} alone: {reason}" for node, reason in step.skipped]
    if report.verification is not None:
        lines.append(str(report.verification))
    return "\n".join([*lines, str(report)])
