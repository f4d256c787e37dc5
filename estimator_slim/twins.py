"""Which versions of an export lack their slim twin, and which of them are worth another try.

    export/best/1700000000    export/best-slim/1700000000    has its twin
    export/best/1700000060                                   lacks it

The record of the last try says what came of it:

    none              nobody has tried                                     is tried
    passing           a full disk, no memory, a store that did not answer  is tried
    interrupted       its process ended over it                            is tried, three times at most
    refused, failed   with these options and this software                 is left alone
    published         somebody has removed the twin                        is left alone
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tensorflow as tf

from estimator_slim.checkpoint import CheckpointReader
from estimator_slim.errors import SourceError
from estimator_slim.options import Options
from estimator_slim.record_files import read_announced, read_record
from estimator_slim.recording import choices, versions
from estimator_slim.report import Report
from estimator_slim.saved_model import graph_file, is_being_written

MOST_INTERRUPTED = 3  # tries that their process does not outlive: then it may be what ends it
_ASIDE = {"background", "checkpoint", "enabled", "layout", "on_error", "report", "root",
          "suffix"}  # options that make no other slim servable


@dataclass(frozen=True)
class Lacking:
    """A version without its slim twin.

    Attributes:
      original: its directory.
      slim: where its twin would be.
      last: the record of the last try; None: there is none.
      left_alone: why it is not worth another try; empty where it is.
    """

    original: str
    slim: str
    last: Report | None
    left_alone: str


def lacking(originals: str, slims: str, options: Options,
            known: Mapping[str, Report]) -> Iterator[Lacking]:
    """The versions in a folder of exports that lack their twins, the newest first.

    Those that another process is writing just now are passed over.

    Args:
      originals: a folder of exports, as `export/best`.
      slims: the folder of their twins, as `export/best-slim`; one that is missing has none.
      options: with which they would be tried.
      known: records of tries by the directory of the twin, where no file need be looked for.
    """
    place = options.report
    made = names_in(slims) if tf.io.gfile.isdir(slims) else set()
    left = {name for name in names_in(originals) if name.isdigit()} - made
    for version in sorted(left, key=int, reverse=True):
        original, slim = os.path.join(originals, version), os.path.join(slims, version)
        if graph_file(original) and not is_being_written(slim):
            last, begun = known.get(slim) or read_record(slim, place), read_announced(slim, place)
            yield Lacking(original, slim, last, _left_alone(last, begun, options))


def names_in(folder: str) -> set[str]:
    """The names in a folder. Raises tf.errors.OpError where it cannot be listed."""
    return {name.rstrip("/") for name in tf.io.gfile.listdir(folder)}


def versions_in(folder: str) -> set[str]:
    """The names of versions in a folder of exports; none where it cannot be listed."""
    with contextlib.suppress(tf.errors.OpError, TypeError):
        return {name for name in names_in(folder) if name.isdigit()}
    return set()


def newest_lacks_its_twin(originals: str, slims: str) -> bool:
    """Whether the newest version in a folder of exports is not in that of twins, for whatever reason."""
    newest = max(versions_in(originals), key=int, default=None)
    return newest is not None and newest not in versions_in(slims)


def checkpoint_of(original: str, model_dir: str) -> str | None:
    """The checkpoint in `model_dir` that an original was exported from; None where it is not there.

    An Estimator exports the step with the other variables, and names checkpoints by it.
    """
    try:
        variables = CheckpointReader(os.path.join(original, "variables", "variables"))
        step = int(variables.value("global_step"))
    except (SourceError, TypeError, ValueError):
        return None
    found = os.path.join(model_dir, f"model.ckpt-{step}")
    return found if tf.io.gfile.exists(f"{found}.index") else None


def _left_alone(last: Report | None, begun: Report | None, options: Options) -> str:
    if begun and begun.interrupted + 1 >= MOST_INTERRUPTED:
        return f"{begun.interrupted + 1} processes in a row ended while they were at it"
    if last is None:
        return ""
    if last.error is None:
        return "its twin was removed; to have it made again, remove its record too"
    if last.error.passing or not _same_try(last, options):
        return ""
    return f"with the same options it was {last.outcome}: {last.error.message.splitlines()[0]}"


def _same_try(last: Report, options: Options) -> bool:
    """Whether another try would do the same with the same software."""
    return last.versions == versions() and _compared(last.options) == _compared(choices(options))


def _compared(chosen: list) -> dict:
    return {one.name: one.value for one in chosen if one.name not in _ASIDE}
