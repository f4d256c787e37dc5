"""One servable → one slim servable; the one place that knows the order of the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Optional

from estimator_slim import log
from estimator_slim.attempts import climb
from estimator_slim.choosing import given, resolve
from estimator_slim.errors import DestinationError, SourceError
from estimator_slim.estimating import estimated
from estimator_slim.layout import slim_directory
from estimator_slim.libraries import import_libraries
from estimator_slim.options import FUNCTION, OFF, RAISE, Options
from estimator_slim.paths import Path, as_text, require_loadable
from estimator_slim.presets import SMALLEST
from estimator_slim.progress import nobody, watched_by
from estimator_slim.recording import choices, recorded
from estimator_slim.report import Report, phase
from estimator_slim.saved_model import Servable, fingerprint_of, published, read_servable
from estimator_slim.transforms import TransformList
from estimator_slim.verify import Request, questions_for, write_warm_up
from estimator_slim.whereabouts import require_reachable
from estimator_slim.work import Work, bytes_of


def optimize_saved_model(
        src: Path, dst: Optional[Path] = None,  # noqa: UP045
        transforms: TransformList | None = None, *, preset: str | None = None,
        bits: int | None = None, fallback: bool | None = None,
        enabled: bool | None = None, on_error: str | None = None, suffix: str | None = None,
        root: Optional[Path] = None,  # noqa: UP045
        weights: str | None = None,
        meta_graphs: str | None = None, verify: str | None = None, max_error: float | None = None,
        min_agreement: float | None = None, max_accuracy_loss: float | None = None,
        verify_examples: Optional[Path] = None,  # noqa: UP045
        verify_input_fn: Callable[..., Any] | None = None,
        verify_memory: int | str | None = None, warmup: int | None = None,
        imports: str | Sequence[str] | None = None, patience: int | None = None,
        report: Optional[Path] = None,  # noqa: UP045
        checkpoint: Optional[Path] = None,  # noqa: UP045
        tags: Sequence[str] = ("serve",)) -> Report | None:
    """Writes an optimized servable of the SavedModel in `src` to `dst`.

    Freezes its variables, runs the transforms over its graph and writes the result with all
    signatures, tables, assets and warm-up requests; `dst` appears by one rename, whole or not at all.

    Args:
      src: directory of one exported version; never changed.
      dst: directory to write, new or empty; None: `<src's parent><suffix>/<src's name>`.
      transforms: a text in the Graph Transform Tool's syntax, or a sequence of texts and transforms;
        None: the flag --slim_transforms.
      preset: `lossless`, `balanced`, `smallest` or `auto`, in place of `transforms`; None:
        --slim_preset.
      bits: 4, 8 or 16, in place of `transforms`: the default list with these; None: --slim_bits.
      fallback: where the slim servable does not answer as its original, True goes on to lists that
        change less, down to no transform, until one passes; False tries the given one alone. None:
        --slim_fallback.
      enabled: False does nothing and returns None; None: --slim_enabled.
      on_error: `raise`, or `keep_original` to log a failure and return None. None: --slim_on_error
        if it was given, else `raise`: here a caller is waiting for the error.
      suffix: for a `dst` of None; None: --slim_suffix.
      root: for a `dst` of None, which is then `<root>/<name of src's parent><suffix>/<src's name>`;
        None: --slim_root, or the folder in which src's parent stands.
      weights: `auto`, `variables` or `constants`: where weights are written; None: --slim_weights.
      meta_graphs: `serve` drops the other MetaGraphs, `all` keeps them; None: --slim_meta_graphs.
      verify: before `dst` appears both servables are asked the same; where answers differ, `enforce`
        raises and `report` logs it; `require` raises too where little could be asked; `off` asks
        nothing. None: --slim_verify.
      max_error: largest allowed error of an output as a share of its range, which then alone judges
        distances; None: --slim_max_error, or what is usual for the transforms.
      min_agreement: smallest allowed share of decisions that stay, which then alone judges decisions;
        None: --slim_min_agreement, likewise.
      max_accuracy_loss: how much less of the labelled answers may be right; alone judges accuracy. None:
        --slim_max_accuracy_loss, or 0.001 with `auto`.
      verify_examples: a TFRecord file of tf.Examples to ask, or a JSON or .npz file of inputs; None:
        --slim_verify_examples.
      verify_input_fn: an Estimator's input_fn, whose features are asked; labels are counted too.
      verify_memory: bytes that loading a servable to verify it may take, beside TensorFlow's own, as a
        number or a text such as 2GB; None: --slim_verify_memory, or what is free.
      warmup: how many warm-up records to write for each signature; None: --slim_warmup.
      imports: Python modules to import before `src` is read, those that define the operations it has
        besides TensorFlow's own; names, comma-separated or in a sequence; None: --slim_imports.
      patience: seconds in which a store such as `gs://` has to answer when it is first looked at; None:
        --slim_patience.
      report: the folder in which a folder of records is made, or `off`; None: --slim_report, or beside
        `dst`: `best-slim-report/1700000000.json` for `best-slim/1700000000`, `slim-report.json` for
        another `slim`. Where an error is raised, a record is kept only if a folder was given.
      checkpoint: the training checkpoint that was exported, as `model_dir/model.ckpt-1000`, or the
        model_dir whose last one it is: it tells which rows of tables were trained. None: there is none.
      tags: of the MetaGraph to optimize.

    Returns:
      The report, or None where nothing was written.

    Raises:
      EstimatorSlimError: OptionError for wrong arguments, SourceError, DestinationError,
        TransformError or VerificationError for what its name says; nothing is left at or beside `dst`.
        A VerificationError has the report.
    """
    options = resolve(FUNCTION, given(FUNCTION, locals()), on_error=RAISE)
    source = as_text(src, "src")
    if not options.enabled:
        log.info("estimator_slim is off (enabled=False): %s is left as it is", source)
        return None
    destination = (slim_directory(source, options.suffix, options.root) if dst is None
                   else as_text(dst, "dst"))
    try:
        with recorded(source, destination, options.report,
                      failures=options.on_error != RAISE or options.report is not None) as record:
            work = optimize(record, options, tags=tags)
        tell_of_auto(work)
        return record
    except Exception as e:
        if options.on_error == RAISE:
            raise
        log.failure(e, f"estimator_slim: no slim servable of {source}; the original is as it was")
        return None


def optimize(report: Report, options: Options, *, tags: Sequence[str] = ("serve",),
             replacing: bool = False, checkpoint: str | None = None, files: str | None = None) -> Work:
    """The work of `optimize_saved_model`, with everything chosen; fills in the report.

    Args:
      report: is filled in, and says what is to be made of what.
      options: all that was chosen.
      tags: of the MetaGraph.
      replacing: a slim servable at its destination gives way to the new one.
      checkpoint: where the one that the options name is read from; None: under its own name.
      files: where the original's are read from; None: in its directory.
    """
    source, destination = report.source, report.destination
    report.options, report.tags = choices(options), list(tags)
    require_loadable(destination, DestinationError)
    import_libraries(options.imports)
    require_reachable(source, SourceError, options.patience)
    require_reachable(destination, DestinationError, options.patience)
    with phase(report.phases, "read"):
        servable = read_servable(files or source, tags)
        report.fingerprint = report.fingerprint or fingerprint_of(files or source)
    if servable.is_slim:
        raise SourceError(f"{source} is a slim servable, which estimator_slim wrote; expected an "
                          "original. Optimize the export that it was made from, with other transforms "
                          "if you like")
    if servable.checkpoint and options.verify != OFF:
        require_loadable(source, SourceError)
    with phase(report.phases, "questions"):
        requests = _questions(servable, options)
    options = replace(options, checkpoint=checkpoint or options.checkpoint)
    work = Work(servable, options, tuple(tags), destination, requests, report)
    report.nodes_before, report.bytes_before = servable.graph.node_count, work.byte_count
    with published(destination, replacing=replacing) as directory:
        climb(work, directory)
        if options.warmup:
            model = os.path.basename(os.path.dirname(destination))
            with phase(report.phases, "warm up"):
                write_warm_up(directory, work.asked, options.warmup, model, tags=tags)
            report.bytes_after = bytes_of(directory)
    return work


def tell_of_auto(work: Work) -> None:
    """Says what the preset would bring, where the default list was run and that is less than half.

    What is published stands: a failure of the estimate changes nothing.
    """
    if not (work.options.is_default_list and work.options.checkpoint):
        return
    try:
        fresh = replace(work, report=Report(work.report.source, ""))  # the record has no phases of this
        with watched_by(nobody):
            smallest = estimated(fresh, [SMALLEST]).byte_counts[SMALLEST]
    except Exception as e:
        log.debug("estimator_slim: no estimate: %s", e)
        return
    if 2 * smallest < work.report.bytes_after:
        log.info("estimator_slim: --slim_preset=auto would make it about %.1f MB, if your examples do "
                 "not tell it from the original", smallest / 1e6)


def _questions(servable: Servable, options: Options) -> list[Request]:
    if options.verify == OFF and not options.warmup:
        return []
    return questions_for(servable, input_fn=options.verify_input_fn, examples=options.verify_examples)
