"""estimator-slim optimize SRC [DST] [--slim_transforms='...']: the offline way, from a shell."""

from __future__ import annotations

import sys

from absl import app, flags, logging

from estimator_slim.errors import EstimatorSlimError
from estimator_slim.optimize import optimize_saved_model

_USAGE = """usage: estimator-slim optimize SRC [DST] [--slim_transforms='...'] [--tags=serve]

Writes an optimized servable of the SavedModel in SRC (one exported version) to DST, or to
<SRC's parent>-slim/<SRC's name>. `estimator-slim --help` lists the flags."""

flags.DEFINE_list("tags", ["serve"], "Tags of the MetaGraph to optimize.")


def _run(argv: list[str]) -> int:
    if len(argv) not in (3, 4) or argv[1] != "optimize":
        print(_USAGE, file=sys.stderr)
        return 2
    logging.set_verbosity(logging.WARNING)
    try:
        report = optimize_saved_model(*argv[2:], tags=flags.FLAGS.tags)
    except EstimatorSlimError as e:
        print(f"estimator-slim: {e}", file=sys.stderr)
        return 1
    if report is None:
        return 1
    for step in report.steps:
        print(f"{step.transform}: {step.nodes_before} -> {step.nodes_after} nodes")
        for node, reason in step.skipped:
            print(f"  left {node or 'everything'} alone: {reason}")
    print(report)
    return 0


def main() -> None:
    """The `estimator-slim` command."""
    app.run(_run)


if __name__ == "__main__":
    main()
