"""One servable → one slim servable; the one place that knows the order of the work."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import DestinationError, SourceError
from estimator_slim.freezing import freeze
from estimator_slim.graph import Graph
from estimator_slim.ladder import AS_ASKED, Effect, Effects, Rung, rungs
from estimator_slim.options import FUNCTION, OFF, RAISE, REPORT, Options, given, resolve
from estimator_slim.paths import Path, as_text, require_loadable
from estimator_slim.report import Report, Tried
from estimator_slim.saved_model import (
    Servable,
    copy_assets,
    published,
    read_servable,
    remove_contents,
    temporary_folder,
    write_servable,
)
from estimator_slim.transforms import (
    CHOICES,
    Bounds,
    QuantizeWeights,
    Transform,
    TransformList,
    allowed_by,
    fuse_lookups,
    place_weights,
    run_transforms,
    with_choices,
)
from estimator_slim.verify import Original, Request, judge, questions_for, write_warm_up

_PATIENCE = 2.0  # times what the first rung took: after that, no more is measured


def optimize_saved_model(
        src: Path, dst: Optional[Path] = None,  # noqa: UP045
        transforms: TransformList | None = None, *, fallback: bool | None = None,
        enabled: bool | None = None, on_error: str | None = None, suffix: str | None = None,
        weights: str | None = None,
        meta_graphs: str | None = None, verify: str | None = None, max_error: float | None = None,
        min_agreement: float | None = None, verify_examples: Optional[Path] = None,  # noqa: UP045
        verify_input_fn: Callable[..., Any] | None = None, warmup: int | None = None,
        tags: Sequence[str] = ("serve",)) -> Report | None:
    """Writes an optimized servable of the SavedModel in `src` to `dst`.

    Freezes its variables, runs the transforms over its graph and writes the result with all
    signatures, tables, assets and warm-up requests; `dst` appears by one rename, whole or not at all.

    Args:
      src: directory of one exported version; never changed.
      dst: directory to write, which must not exist; None: `<src's parent><suffix>/<src's name>`.
      transforms: a text in the Graph Transform Tool's syntax, or a sequence of texts and transforms;
        None: the flag --slim_transforms.
      fallback: where the slim servable does not answer as its original, True goes on to lists that
        change less, down to no transform, until one passes; False tries the given one alone. None:
        --slim_fallback.
      enabled: False does nothing and returns None; None: --slim_enabled.
      on_error: `raise`, or `keep_original` to log a failure and return None. None: --slim_on_error
        if it was given, else `raise`: here a caller is waiting for the error.
      suffix: for a `dst` of None; None: --slim_suffix.
      weights: `auto`, `variables` or `constants`: where weights are written; None: --slim_weights.
      meta_graphs: `serve` drops the other MetaGraphs, `all` keeps them; None: --slim_meta_graphs.
      verify: before `dst` appears both servables are asked the same; where answers differ, `enforce`
        raises and `report` logs it; `require` raises too where little could be asked; `off` asks
        nothing. None: --slim_verify.
      max_error: largest allowed error of an output as a share of its range, which then alone judges
        distances; None: --slim_max_error, or what is usual for the transforms.
      min_agreement: smallest allowed share of decisions that stay, which then alone judges decisions;
        None: --slim_min_agreement, likewise.
      verify_examples: a TFRecord file of tf.Examples to ask; None: --slim_verify_examples.
      verify_input_fn: an Estimator's input_fn, whose features are asked; labels are counted too.
      warmup: how many warm-up records to write for each signature; None: --slim_warmup.
      tags: of the MetaGraph to optimize.

    Returns:
      The report, or None where nothing was written.

    Raises:
      EstimatorSlimError: OptionError for wrong arguments, SourceError, DestinationError,
        TransformError or VerificationError for what its name says; nothing is left at or beside `dst`.
    """
    options = resolve(FUNCTION, given(FUNCTION, locals()), on_error=RAISE)
    source = as_text(src, "src")
    if not options.enabled:
        log.info("estimator_slim is off (enabled=False): %s is left as it is", source)
        return None
    destination = as_text(dst, "dst") if dst is not None else slim_directory(source, options.suffix)
    try:
        return optimize(source, destination, options, tags=tags)
    except Exception:
        if options.on_error == RAISE:
            raise
        log.exception("estimator_slim: no slim servable of %s; the original is as it was",
                      source)
        return None


def slim_directory(source: str, suffix: str) -> str:
    """`export/best/1700000000` → `export/best-slim/1700000000`."""
    parent, version = os.path.split(source if "://" in source else os.path.abspath(source))
    return os.path.join(parent + suffix, version)


def optimize(source: str, destination: str, options: Options, *,
             tags: Sequence[str] = ("serve",)) -> Report:
    """The work of `optimize_saved_model`, with everything chosen."""
    started = time.monotonic()
    if _inside(destination, source):
        raise DestinationError(f"{destination} is inside the original {source}, which is never "
                               "changed; give a destination outside of it")
    require_loadable(destination, DestinationError)
    servable = read_servable(source, tags)
    if servable.is_slim:
        raise SourceError(f"{source} is a slim servable, which estimator_slim wrote; expected an "
                          "original. Optimize the export that it was made from, with other transforms "
                          "if you like")
    if servable.checkpoint and options.verify != OFF:
        require_loadable(source, SourceError)
    work = _Work(servable, options, tuple(tags), destination, _questions(servable, options))
    with published(destination) as directory:
        report = _climbed(work, directory)
        if options.warmup:
            model = os.path.basename(os.path.dirname(destination))
            write_warm_up(directory, work.requests, options.warmup, model, tags=tags)
            report.bytes_after = _bytes(directory)
        report.seconds = time.monotonic() - started
    log.info("estimator_slim: %s", report)
    return report


@dataclass(frozen=True)
class _Work:
    """What all attempts at one slim servable share."""

    servable: Servable
    options: Options
    tags: tuple[str, ...]
    destination: str
    requests: Sequence[Request]

    @functools.cached_property
    def frozen(self) -> Graph:
        """The original with weights in place of variables."""
        return freeze(self.servable)

    @functools.cached_property
    def byte_count(self) -> int:
        """Of the original's files."""
        return _bytes(self.servable.directory)

    @functools.cached_property
    def original(self) -> Original:
        """The original, to hold slim servables against."""
        return Original(self.servable, self.requests, tags=self.tags, byte_count=self.byte_count)

    def bounds(self, transforms: Sequence[Transform]) -> Bounds:
        """What is allowed after these transforms."""
        return allowed_by(transforms, max_error=self.options.max_error,
                          min_agreement=self.options.min_agreement)

    def write(self, graph: Graph, directory: str) -> int:
        """Writes a transformed graph into an empty directory; returns its nodes there."""
        graph = fuse_lookups(place_weights(graph, self.options.weights))
        nodes = write_servable(graph, self.servable, directory, meta_graphs=self.options.meta_graphs)
        copy_assets(self.servable.directory, directory, [a.filename for a in graph.interface.assets])
        return nodes


def _climbed(work: _Work, directory: str) -> Report:
    """Writes the first rung that passes into `directory`."""
    started = time.monotonic()
    tried: list[Tried] = []
    asked = work.options.transforms

    def effects(rung: Rung) -> Effects:
        first = tried[0].seconds
        return {} if time.monotonic() - started > _PATIENCE * first else _effects(work, rung)

    ladder = rungs(asked, effects) if work.options.fallback else iter([Rung(AS_ASKED, asked)])
    for rung in ladder:
        report = _attempt(work, rung, directory)
        tried.append(Tried(rung.name, " ".join(map(str, rung.transforms)), report.bytes_after,
                           report.seconds, report.verification))
        found = report.verification
        if found is None or found.passed or work.options.verify == REPORT:
            break
        log.warning("estimator_slim: with %s (%s) the slim servable does not answer as its original: %s",
                    rung, rung.name, found.failures[0])
    report.tried = tried
    judge(report, work.options.verify, lossless=not any(one.lossy for one in asked),
          by_flags=work.options.by_flags)
    return report


def _attempt(work: _Work, rung: Rung, directory: str) -> Report:
    """Writes the slim servable of one rung, in the place of another, and verifies it."""
    started = time.monotonic()
    remove_contents(directory)
    graph, steps = run_transforms(work.frozen, rung.transforms)
    nodes = work.write(graph, directory)
    report = Report(
        source=work.servable.directory, destination=work.destination,
        signatures=sorted(graph.interface.served()),
        bytes_before=work.byte_count, bytes_after=_bytes(directory),
        nodes_before=work.servable.graph.node_count, nodes_after=nodes, seconds=0.0, steps=steps)
    if work.options.verify != OFF:
        report.verification = work.original.compare(directory, work.bounds(rung.transforms))
    report.seconds = time.monotonic() - started
    return report


def _effects(work: _Work, rung: Rung) -> Effects:
    """What each weight that the rung codes does to the answers; {} where that cannot be told."""
    found = [(n, one) for n, one in enumerate(rung.transforms) if isinstance(one, QuantizeWeights)]
    if len(found) != 1:
        return {}
    place, quantize = found[0]
    before, _ = run_transforms(work.frozen, rung.transforms[:place])
    graph, coded = with_choices(before, quantize.apply(before)[0])
    graph, _ = run_transforms(graph, rung.transforms[place + 1:])
    if not coded:
        return {}
    none, *single = np.zeros((1 + len(coded), len(coded)), bool)
    for number, one in enumerate(single):
        one[number] = True
    with temporary_folder(work.destination) as folder:
        work.write(graph, folder)
        errors = work.original.excesses(folder, CHOICES, [none, *single], work.bounds(rung.transforms))
    if errors is None or errors[0] >= 1:  # it would fail without any codes
        return {}
    return {one.name: Effect(quantize.bits_of(one.name, by_rows=one.by_rows), error)
            for one, error in zip(coded, errors[1:])}


def _questions(servable: Servable, options: Options) -> list[Request]:
    if options.verify == OFF and not options.warmup:
        return []
    return questions_for(servable, input_fn=options.verify_input_fn, examples=options.verify_examples)


def _inside(path: str, folder: str) -> bool:
    return f"{os.path.realpath(path)}/".startswith(f"{os.path.realpath(folder)}/")


def _bytes(directory: str) -> int:
    try:
        return sum(tf.io.gfile.stat(os.path.join(folder, file)).length
                   for folder, _, files in tf.io.gfile.walk(directory) for file in files)
    except tf.errors.OpError as e:
        raise SourceError(f"{directory} disappears while it is read ({e.message}); keep an export until "
                          "it is optimized") from e
