"""A training run that exports again and again, and a server that watches its slim versions meanwhile."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.faults import exporting, forked
from tests.faults.exporting import SLIMS, Then, numbered
from tests.faults.killing import answers, compare
from tests.support import training
from tests.support.ask import served

POLL_SECONDS = 0.02  # a server's default is 1
KEPT = 5


@dataclass
class Watch:
    """What a server saw.

    Attributes:
      polls: how often it listed the folder, and asked the version that it had loaded last.
      loaded: version → what it answered when it was loaded.
      failed: loads that failed though the version stayed, and answers that changed; with the reason.
      collected: versions that went after they had been loaded.
    """

    polls: int = 0
    loaded: dict[str, dict] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    collected: set[str] = field(default_factory=set)


class Loaded:
    """A servable in a Session, as a server has it."""

    def __init__(self, directory: Path) -> None:
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(self.session, ["serve"], str(directory))
        self.signatures = served(meta_graph)

    def ask(self) -> dict:
        """The answers of each signature to the requests of `training`, in the form of `ask.ask`."""
        requests = training.requests()
        return {(name, 0): self.session.run(
            {key: info.name for key, info in signature.outputs.items()},
            {info.name: requests for info in signature.inputs.values()})
            for name, signature in self.signatures.items()}


def watched(folder: Path, exports: int) -> tuple[list[str], Watch, list[str]]:
    """Trains with `exports` exports in one process, and watches them in another.

    Returns:
      What estimator_slim logged, what the server saw, and the versions whose answers are not those of
      their original, with the reason.
    """
    logged, seen = forked.run([forked.Job(train, {"folder": folder, "exports": exports}),
                               forked.Job(serve, {"folder": folder})])
    versions = list(seen.value.loaded)
    originals = forked.shared(answers, [folder / "aside" / version for version in versions])
    wrong = [f"{version}: {reason}" for version, original in zip(versions, originals)
             for reason in _differences(seen.value.loaded[version], original)]
    return logged.value, seen.value, wrong


def train(folder: Path, exports: int) -> list[str]:
    """Runs train_and_evaluate; a copy of every original is put aside."""
    latest = tf.estimator.LatestExporter("latest", training.receiver_fn, exports_to_keep=KEPT)
    aside = Then(latest, lambda version: shutil.copytree(version, folder / "aside" / version.name))
    try:
        with exporting.logged() as lines:
            training.train(folder, [exporting.slimming(aside)], exports)
    finally:
        (folder / "done").touch()
    return lines


def serve(folder: Path) -> Watch:
    """Loads every slim version when it appears and asks the newest, until training is done."""
    watch, newest, is_done = Watch(), None, False
    while not is_done:
        is_done = (folder / "done").exists()  # and then looks once more
        there = numbered(folder / SLIMS)
        watch.polls += 1
        watch.collected |= watch.loaded.keys() - {version.name for version in there}
        for version in there:
            if version.name not in watch.loaded:
                newest = _load(version, watch) or newest
        if newest:
            watch.failed += _differences(newest.ask(), watch.loaded[max(watch.loaded)])
        time.sleep(POLL_SECONDS)
    return watch


def _load(version: Path, watch: Watch) -> Loaded | None:
    try:
        loaded = Loaded(version)
        watch.loaded[version.name] = loaded.ask()
    except Exception as e:
        if version.exists():
            watch.failed.append(f"{version.name}: {type(e).__name__}: {e}")
        return None
    return loaded


def _differences(got: dict[Any, Any], expected: dict[Any, Any]) -> list[str]:
    try:
        compare(got, expected)
    except AssertionError as e:
        return [str(e)]
    return []
