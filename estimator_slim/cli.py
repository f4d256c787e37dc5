"""estimator-slim optimize SRC [DST] and compare ORIGINAL SLIM: the offline way, from a shell."""

from __future__ import annotations

import sys

from absl import app, flags, logging

from estimator_slim.errors import EstimatorSlimError, SourceError
from estimator_slim.optimize import optimize_saved_model
from estimator_slim.options import FUNCTION, resolve
from estimator_slim.paths import as_text, require_loadable
from estimator_slim.report import verification_text
from estimator_slim.saved_model import Servable, read_servable
from estimator_slim.transforms import allowed_by
from estimator_slim.verify import compare_servables, questions_for

_USAGE = """usage: estimator-slim optimize SRC [DST] [--slim_transforms='...'] [--tags=serve]
       estimator-slim compare ORIGINAL SLIM [--slim_transforms='...'] [--tags=serve]

optimize writes an optimized servable of the SavedModel in SRC (one exported version) to DST, or to
<SRC's parent>-slim/<SRC's name>. compare asks both servables the same and shows how near their answers
are; it fails if they are farther apart than these transforms explain. `estimator-slim --help` lists the
flags."""

_COMPARED = ("ORIGINAL", "SLIM")
_TAKES = {"optimize": ("SRC and, where it is not the usual one, DST", (1, 2)),
          "compare": (" and ".join(_COMPARED), (2,))}

flags.DEFINE_list("tags", ["serve"], "Tags of the MetaGraph to optimize.")


def _run(argv: list[str]) -> int:
    command, paths = "".join(argv[1:2]), argv[2:]
    wrong = _wrong(command, paths)
    if wrong:
        print(f"estimator-slim: {wrong}\n\n{_USAGE}", file=sys.stderr)
        return 2
    logging.set_verbosity(logging.WARNING)
    try:
        return _compare(*paths) if command == "compare" else _optimize(*paths)
    except EstimatorSlimError as e:
        print(f"estimator-slim: {e}", file=sys.stderr)
        return 1


def _wrong(command: str, paths: list[str]) -> str:
    """What is wrong with the command line; "" where nothing is."""
    if command not in _TAKES:
        return f"expected optimize or compare, got {command!r}" if command else "expected a command"
    takes, counts = _TAKES[command]
    if len(paths) not in counts:
        return f"{command} takes {takes}, got {' '.join(map(repr, paths)) or 'nothing'}"
    return ""


def _optimize(*paths: str) -> int:
    if not resolve(FUNCTION).enabled:
        print(f"estimator-slim: off (--slim_enabled=false); nothing is written for {paths[0]}")
        return 0
    report = optimize_saved_model(*paths, tags=flags.FLAGS.tags)
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


def _compare(*paths: str) -> int:
    options, tags = resolve(FUNCTION), flags.FLAGS.tags
    servable, slim = (_loadable(as_text(path, name), tags) for path, name in zip(paths, _COMPARED))
    allowed = allowed_by(options.transforms, max_error=options.max_error,
                     min_agreement=options.min_agreement)
    requests = questions_for(servable, examples=options.verify_examples)
    found = compare_servables(servable, slim.directory, requests, allowed, tags=tags)
    print(verification_text(found))
    return 0 if found.passed and found.outputs else 1


def _loadable(directory: str, tags: list[str]) -> Servable:
    """The servable, or a SourceError that says what is wrong with it."""
    servable = read_servable(directory, tags)
    if servable.checkpoint:
        require_loadable(directory, SourceError)
    return servable


def main() -> None:
    """The `estimator-slim` command."""
    _explain()
    app.run(_run)


def _explain() -> None:
    """Lets --help show the usage and these flags; absl asks the module that was started for them."""
    sys.modules["__main__"].__doc__ = f"{_USAGE}\n"
    for name in flags.FLAGS:
        if name == "tags" or name.startswith("slim_"):
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])


if __name__ == "__main__":
    main()
