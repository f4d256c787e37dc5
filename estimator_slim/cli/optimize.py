"""estimator-slim optimize: one servable of which a slim one is written."""

from __future__ import annotations

import argparse

from absl import flags

import estimator_slim
from estimator_slim.choosing import resolve
from estimator_slim.options import FUNCTION

flags.DEFINE_string("checkpoint", None, "The training checkpoint that SRC was exported from, or its "
                    "model_dir: it tells which rows of tables were trained.")

TAKES = "SRC [DST]"
DOES = """writes an optimized servable of the SavedModel in SRC (one exported version) to DST, or to
<SRC's parent>-slim/<SRC's name>."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    parser.add_argument("src", metavar="SRC")
    parser.add_argument("dst", metavar="DST", nargs="?")


def run(arguments: argparse.Namespace) -> int:
    """Prints what was done; returns the exit code."""
    if not resolve(FUNCTION).enabled:
        print(f"estimator-slim: off (--slim_enabled=false); nothing is written for {arguments.src}")
        return 0
    report = estimator_slim.optimize_saved_model(arguments.src, arguments.dst, tags=flags.FLAGS.tags,
                                                 checkpoint=flags.FLAGS.checkpoint)
    if report is None:
        return 1
    for step in report.steps:
        print(f"{step.transform}: {step.nodes_before} -> {step.nodes_after} nodes")
        for node, reason in step.skipped:
            print(f"  left {node or 'everything'} alone: {reason}")
    if report.verification is not None:
        print(report.verification)
    print(report)
    return 0
