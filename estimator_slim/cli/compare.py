"""estimator-slim compare: how near a slim servable's answers are to its original's."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from estimator_slim.choosing import resolve
from estimator_slim.cli import exit_codes
from estimator_slim.cli.apart import measured_apart
from estimator_slim.cli.parsing import add_json, add_servable, add_tags
from estimator_slim.cli.tables import byte_text
from estimator_slim.errors import SourceError
from estimator_slim.libraries import import_libraries
from estimator_slim.options import FUNCTION, Options
from estimator_slim.paths import require_loadable
from estimator_slim.report import Verification, verification_text

if TYPE_CHECKING:
    from estimator_slim.saved_model import Servable
    from estimator_slim.transforms import Transform

TAKES = "ORIGINAL SLIM"
HELP = "Asks two servables the same and shows how near their answers are, and what each takes."
OPTIONS = ("transforms", "preset", "bits", "max_error", "min_agreement", "verify_examples", "imports")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    add_servable(parser, "original", "folder of one exported version")
    add_servable(parser, "slim", "what was made of it; its answers must not be farther off than the "
                 "transforms explain")
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True,
                        help="load each in a process of its own, to tell what memory it takes (default)")
    add_tags(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints what the comparison found; returns the exit code."""
    from estimator_slim.cli.timing import MEMORY, Loaded
    from estimator_slim.saved_model import rewritten  # loads TensorFlow, as those below do
    from estimator_slim.transforms import allowed_by, send_to_first_row
    from estimator_slim.verify import Original, questions_for
    from estimator_slim.work import bytes_of
    options, tags = resolve(FUNCTION), arguments.tags
    import_libraries(options.imports)
    servable = _loadable(arguments.original, tags)
    slim = _loadable(arguments.slim, tags)
    allowed = allowed_by(_transforms(options, slim.directory), max_error=options.max_error,
                         min_agreement=options.min_agreement)
    requests = questions_for(servable, examples=options.verify_examples)
    original = Original(servable, requests, tags=tags, memory=options.verify_memory)
    with tempfile.TemporaryDirectory() as folder:
        other = folder if rewritten(slim.directory, folder, send_to_first_row) else None
        found = original.compare(slim.directory, allowed, other)
    sizes = [bytes_of(one.directory) for one in (servable, slim)]
    memory = [measured_apart(Loaded(one.directory, tuple(tags), options.imports))[MEMORY]
              for one in (servable, slim)] if arguments.memory else None
    print(json.dumps({"original": servable.directory, "slim": slim.directory, "bytes": sizes,
                      "memory_bytes": memory and [round(1e6 * one) for one in memory],
                      "verification": dataclasses.asdict(found)}, indent=1)
          if arguments.json else _told(found, sizes, memory))
    if not found.passed:
        return exit_codes.FAILED
    return exit_codes.DONE if found.outputs else exit_codes.HARDLY_VERIFIED


def _transforms(options: Options, slim: str) -> Sequence[Transform]:
    """The list that was given, or else the one that the record of the slim servable tells of."""
    from estimator_slim.record_files import read_record  # loads TensorFlow
    from estimator_slim.transforms import transform_list
    record = read_record(slim, None) if options.is_default_list else None
    return transform_list(record.tried[-1].transforms) if record and record.tried else options.transforms


def _told(found: Verification, sizes: list[int], memory: list[float] | None) -> str:
    *lines, verdict = verification_text(found).split("\n")
    before, after = sizes
    size = f"{byte_text(before)} → {byte_text(after)} (1/{before / max(1, after):.3g})"
    loaded = [f"memory when loaded: {memory[0]:,.1f} → {memory[1]:,.1f} MB"] if memory else []
    return "\n".join([*lines, size, *loaded, verdict])


def _loadable(directory: str, tags: list[str]) -> Servable:
    """The servable, or a SourceError that says what is wrong with it."""
    from estimator_slim.saved_model import read_servable
    servable = read_servable(directory, tags)
    if servable.checkpoint:
        require_loadable(directory, SourceError)
    return servable
