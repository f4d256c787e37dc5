"""OptimizingExporter: wraps the exporter that an EvalSpec has and slims what it exports."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from estimator_slim import log
from estimator_slim.choosing import chosen, given, resolve
from estimator_slim.errors import OptionError
from estimator_slim.events import events_folder, step_of, write_events
from estimator_slim.layout import slim_directory
from estimator_slim.optimize import optimize, tell_of_auto
from estimator_slim.options import EXPORTER, OFF, RAISE, Options, are_parsed
from estimator_slim.paths import as_text
from estimator_slim.record_files import forget, is_same, read_record
from estimator_slim.recording import recorded
from estimator_slim.report import Report
from estimator_slim.saved_model import is_marked, withdraw
from estimator_slim.transforms import TransformList
from estimator_slim.verify import as_called_by


class OptimizingExporter(tf.estimator.Exporter):
    """Writes an optimized servable beside every servable that another exporter writes.

        exporter = OptimizingExporter(tf.estimator.BestExporter("best", receiver_fn))
        tf.estimator.EvalSpec(input_fn, exporters=[exporter])

    The original stays as the wrapped exporter made it, in `export/<name>/<version>`; the slim
    servable appears by one rename as `export/<name>-slim/<version>`. When an original is gone
    (garbage collection), its slim twin goes at the next export. A failed optimization is logged and
    changes nothing else, unless `on_error` is `raise`. Each optimization leaves a record of what was
    done, or of what failed, as `export/<name>-slim-report/<version>.json` (see report/record.md), and
    TensorBoard shows its numbers as the run `slim/<name>` of the model_dir.
    """

    def __init__(self, exporter: tf.estimator.Exporter, transforms: TransformList | None = None, *,
                 preset: str | None = None, bits: int | None = None, fallback: bool | None = None,
                 enabled: bool | None = None, on_error: str | None = None,
                 suffix: str | None = None, root: Any = None, weights: str | None = None,
                 meta_graphs: str | None = None, verify: str | None = None,
                 max_error: float | None = None, min_agreement: float | None = None,
                 max_accuracy_loss: float | None = None,
                 verify_examples: Any = None, verify_input_fn: Callable[..., Any] | None = None,
                 warmup: int | None = None, imports: str | Sequence[str] | None = None,
                 report: Any = None):
        """Wraps `exporter`.

        Args:
          exporter: any tf.estimator.Exporter that exports SavedModels.
          transforms: a text in the Graph Transform Tool's syntax, or a sequence of texts and
            transforms. None: the flag --slim_transforms, looked up at each export; likewise
            the others.
          preset: `lossless`, `balanced`, `smallest` or `auto`, in place of `transforms`.
          bits: 4, 8 or 16, in place of `transforms`: the default list with these.
          fallback: where a slim servable does not answer as its original, True goes on to lists that
            change less, until one passes; False tries the given one alone.
          enabled: False only exports the original.
          on_error: `keep_original` logs a failed optimization, `raise` lets it end the training.
          suffix: of the folder of slim servables.
          root: the folder in which that folder is made; by default `export/`.
          weights: `auto`, `variables` or `constants`: where weights are written.
          meta_graphs: `serve` drops the MetaGraphs for training and evaluation, `all` keeps them.
          verify: before a slim servable appears it is asked the same as its original; where it answers
            otherwise, `enforce` does not publish it and `report` logs it; `require` does not publish
            either what little could be asked of; `off` asks nothing.
          max_error: largest allowed error of an output as a share of its range; alone judges distances.
          min_agreement: smallest allowed share of decisions that stay; alone judges decisions.
          max_accuracy_loss: how much less of the labelled answers may be right; alone judges accuracy.
          verify_examples: a TFRecord file of tf.Examples to ask, or a JSON or .npz file of inputs.
          verify_input_fn: the input_fn of an EvalSpec, whose features are asked; its mode, params and
            config are those that the Estimator evaluates with.
          warmup: how many warm-up records to write for each signature.
          imports: Python modules that define operations which a servable has besides TensorFlow's own.
          report: the folder in which a folder of records is made, or `off` for no records; by default
            `export/`: a record is `export/<name>-slim-report/<version>.json`.

        Raises:
          OptionError: `exporter` is no Exporter, or an OptimizingExporter of the same suffix, or another
            argument is wrong.
        """
        if not isinstance(exporter, tf.estimator.Exporter):
            raise OptionError("OptimizingExporter wraps a tf.estimator.Exporter, such as "
                              f"tf.estimator.BestExporter(...), got {type(exporter).__name__}")
        self._exporter = exporter
        self._arguments = given(EXPORTER, locals())
        resolve(EXPORTER, self._arguments)
        self._require_own_suffix(chosen("suffix", None) if are_parsed() else None)

    @property
    def name(self) -> str:
        """The wrapped exporter's name."""
        return self._exporter.name

    def export(self, estimator: Any, export_path: str, checkpoint_path: str, eval_result: Any,
               is_the_final_export: bool) -> Any:
        """Lets the wrapped exporter export, then writes the slim twin; returns what it returned."""
        result = self._exporter.export(
            estimator=estimator, export_path=export_path, checkpoint_path=checkpoint_path,
            eval_result=eval_result, is_the_final_export=is_the_final_export)
        if result is not None and self._chosen("enabled"):
            with self._failing(f"the folder beside {result!r} may hold versions whose original is gone"):
                checkpoint = as_text(checkpoint_path, "checkpoint_path") if checkpoint_path else None
                self._follow(estimator, as_text(result, "what the wrapped exporter returned"),
                             checkpoint, step_of(eval_result, checkpoint))
        return result

    def _follow(self, estimator: Any, original: str, checkpoint: str | None, step: int) -> None:
        """Writes the slim twin of a new original; removes the twins of those that are gone."""
        slim, place = self._twin_of(original), self._chosen("report")
        with self._failing(f"no slim servable of {original}"):
            with recorded(original, slim, place, tell=self._tell(estimator, step, place)) as report:
                self._require_own_suffix(chosen("suffix", None))
                work = optimize(report, _for(estimator, checkpoint, resolve(EXPORTER, self._arguments)))
            tell_of_auto(work)
        _mirror_collection(original, os.path.dirname(slim), place)

    def _tell(self, estimator: Any, step: int, place: Any) -> Callable[[Report], None] | None:
        """What shows a report in TensorBoard, among what the Estimator's model_dir holds."""
        model_dir = getattr(estimator, "model_dir", None)
        if model_dir is None or place == OFF:
            return None
        folder = events_folder(model_dir, self.name, self._chosen("suffix"))
        return functools.partial(write_events, folder, step)

    def _twin_of(self, original: str) -> str:
        """Where its slim twin goes."""
        root = self._chosen("root")
        return slim_directory(original, self._chosen("suffix"),
                              None if root is None else as_text(root, "root"))

    def _chosen(self, name: str) -> Any:
        return chosen(name, self._arguments[name])

    def _require_own_suffix(self, otherwise: str | None) -> None:
        """Refuses exporters around one exporter that would share a folder.

        `otherwise`: the suffix of those that were given none.
        """
        own = self._arguments["suffix"] or otherwise
        within = self._exporter
        while isinstance(within, OptimizingExporter):
            if own == (within._arguments["suffix"] or otherwise):
                raise OptionError("suffix: an OptimizingExporter wraps another of the same suffix"
                                  f"{f' {own!r}' if own else ''}, so both would write to one folder; "
                                  "give the outer one another suffix")
            within = within._exporter

    @contextlib.contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Logs what the block raises, and `what` it means, unless `on_error` is `raise`."""
        try:
            yield
        except Exception:
            if self._chosen("on_error") == RAISE:
                raise
            log.exception("estimator_slim: %s; the original is as it was and training goes on", what)


def _for(estimator: Any, checkpoint: str | None, options: Options) -> Options:
    """With the checkpoint that is exported, and the `verify_input_fn` as this Estimator calls it."""
    asked = options.verify_input_fn
    return replace(options, checkpoint=checkpoint,
                   verify_input_fn=None if asked is None else as_called_by(estimator, asked))


def _mirror_collection(original: str, slims: str, place: Any) -> None:
    """Removes what is no longer beside the new `original`: slim versions in `slims`, and records."""
    made = _versions(slims)  # before the originals, for another process may add a pair meanwhile
    originals = _names(os.path.dirname(original))
    if os.path.basename(original) not in originals:
        log.warning("estimator_slim: %s is gone as soon as it was exported, so %s keeps all it has. "
                    "Exporters keep the highest versions: if the clock went back, set it right; if "
                    "the folder was removed, remove the slim one too", original, slims)
        return
    for path in (os.path.join(slims, version) for version in sorted(made - originals)):
        if _is_of_another(path, original, place):
            continue
        if is_marked(path):
            log.info("estimator_slim: removing %s, whose original is gone", path)
            withdraw(path)
        else:
            log.warning("estimator_slim: %s has no original and is no slim servable, so it stays; "
                        "the folder is for slim servables alone: give another suffix", path)
    forget(slims, originals, place, of=os.path.dirname(original))


def _is_of_another(slim: str, original: str, place: Any) -> bool:
    """Whether a slim version may be of another model, where a root holds the twins of several.

    There, a version is known by its record; what has none stays.
    """
    folder, version = os.path.dirname(original), os.path.basename(slim)
    if os.path.dirname(os.path.dirname(slim)) == os.path.dirname(folder):
        return False
    record = read_record(slim, place)
    return record is None or not is_same(record.source, os.path.join(folder, version))


def _versions(folder: str) -> set[str]:
    """The versions in a folder of exports, by TensorFlow Serving's rule: folders named by a number."""
    if not tf.io.gfile.isdir(folder):
        return set()
    return {name for name in _names(folder)
            if name.isdigit() and tf.io.gfile.isdir(os.path.join(folder, name))}


def _names(folder: str) -> set[str]:
    return {name.rstrip("/") for name in tf.io.gfile.listdir(folder)}
