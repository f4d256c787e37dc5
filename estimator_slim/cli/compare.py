"""estimator-slim compare: how near a slim servable's answers are to its original's."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from estimator_slim.choosing import resolve
from estimator_slim.cli import exit_codes
from estimator_slim.cli.parsing import add_json, add_servable, add_tags
from estimator_slim.cli.tables import byte_text
from estimator_slim.errors import SourceError
from estimator_slim.libraries import import_libraries
from estimator_slim.options import FUNCTION
from estimator_slim.paths import require_loadable
from estimator_slim.report import Verification, verification_text

if TYPE_CHECKING:
    from estimator_slim.saved_model import Servable

TAKES = "ORIGINAL SLIM"
HELP = "Asks two servables the same and shows how near their answers are, and their sizes."
OPTIONS = ("transforms", "preset", "bits", "max_error", "min_agreement", "verify_examples", "imports")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    add_servable(parser, "original", "folder of one exported version")
    add_servable(parser, "slim", "what was made of it; its answers must not be farther off than the "
                 "transforms explain")
    add_tags(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints what the comparison found; returns the exit code."""
    from estimator_slim.transforms import allowed_by  # loads TensorFlow, as those below do
    from estimator_slim.verify import Original, questions_for
    from estimator_slim.work import bytes_of
    options, tags = resolve(FUNCTION), arguments.tags
    import_libraries(options.imports)
    servable = _loadable(arguments.original, tags)
    slim = _loadable(arguments.slim, tags)
    allowed = allowed_by(options.transforms, max_error=options.max_error,
                         min_agreement=options.min_agreement)
    requests = questions_for(servable, examples=options.verify_examples)
    original = Original(servable, requests, tags=tags, memory=options.verify_memory)
    found = original.compare(slim.directory, allowed)
    sizes = [bytes_of(one.directory) for one in (servable, slim)]
    print(json.dumps({"original": servable.directory, "slim": slim.directory, "bytes": sizes,
                      "verification": dataclasses.asdict(found)}, indent=1)
          if arguments.json else _told(found, sizes))
    if not found.passed:
        return exit_codes.FAILED
    return exit_codes.DONE if found.outputs else exit_codes.HARDLY_VERIFIED


def _told(found: Verification, sizes: list[int]) -> str:
    *lines, verdict = verification_text(found).split("\n")
    before, after = sizes
    size = f"{byte_text(before)} → {byte_text(after)} (1/{before / max(1, after):.3g})"
    return "\n".join([*lines, size, verdict])


def _loadable(directory: str, tags: list[str]) -> Servable:
    """The servable, or a SourceError that says what is wrong with it."""
    from estimator_slim.saved_model import read_servable
    servable = read_servable(directory, tags)
    if servable.checkpoint:
        require_loadable(directory, SourceError)
    return servable
