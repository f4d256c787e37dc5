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
from estimator_slim.errors import DestinationError, OptionError
from estimator_slim.events import events_folder, step_of, write_events
from estimator_slim.exporter.call import Call, as_path
from estimator_slim.exporter.collection import mirror_collection
from estimator_slim.exporter.held_checkpoint import held, let_go
from estimator_slim.exporter.nesting import require_own_place
from estimator_slim.exporter.writing import stand_in, write_twin
from estimator_slim.layout import Layout, layout_of
from estimator_slim.options import EXPORTER, OFF, RAISE, Options, are_parsed
from estimator_slim.paths import as_text
from estimator_slim.report import Report
from estimator_slim.transforms import TransformList
from estimator_slim.twins import lacking, names_in


class OptimizingExporter(tf.estimator.Exporter):
    """Writes an optimized servable beside every servable that another exporter writes.

        exporter = OptimizingExporter(tf.estimator.BestExporter("best", receiver_fn))
        tf.estimator.EvalSpec(input_fn, exporters=[exporter])

    The original stays as the wrapped exporter made it, in `export/<name>/<version>`; the slim
    servable appears by one rename as `export/<name>-slim/<version>`. When an original is gone
    (garbage collection), its slim twin goes at the next export; one that is missing is made up for. A
    failed optimization is logged and changes nothing else, unless `on_error` is `raise`. Each leaves a
    record of what was done, or failed, as `export/<name>-slim-report/<version>.json` (see
    report/record.md), and TensorBoard shows its numbers as the run `slim/<name>` of the model_dir.
    """

    def __init__(self, exporter: tf.estimator.Exporter, transforms: TransformList | None = None, *,
                 preset: str | None = None, bits: int | None = None, fallback: bool | None = None,
                 enabled: bool | None = None, on_error: str | None = None,
                 layout: str | None = None, suffix: str | None = None, root: Any = None,
                 weights: str | None = None,
                 meta_graphs: str | None = None, verify: str | None = None,
                 max_error: float | None = None, min_agreement: float | None = None,
                 max_accuracy_loss: float | None = None,
                 verify_examples: Any = None, verify_input_fn: Callable[..., Any] | None = None,
                 verify_memory: int | str | None = None, warmup: int | None = None,
                 imports: str | Sequence[str] | None = None, report: Any = None):
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
          layout: `beside` puts slim servables beside their originals; `replace` puts them where the
            wrapped exporter would export to, and has it export to `export-original/<name>`. What cannot
            be slimmed is then there as a copy of its original.
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
          verify_memory: bytes that loading a servable to verify it may take, beside TensorFlow's own, as
            a number or a text such as 2GB; by default what is free on the machine and in its container.
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
        self._failed: dict[str, Report] = {}  # slim twin → how the last try at it failed in this process
        resolve(EXPORTER, self._arguments)
        self._require_own_suffix(chosen("suffix", None) if are_parsed() else None)

    @property
    def name(self) -> str:
        """The wrapped exporter's name."""
        return self._exporter.name

    def export(self, estimator: Any, export_path: str, checkpoint_path: str, eval_result: Any,
               is_the_final_export: bool) -> Any:
        """Lets the wrapped exporter export, then writes the slim twin.

        Then the newest of other versions that lack their twins gets it: what was missed is made up for,
        and a call takes no longer than two optimizations.

        Returns:
          What the wrapped exporter returned; in the layout `replace` the path of the slim twin.
        """
        layout = self._layout(export_path) if self._chosen("enabled") else None

        def exported() -> Any:
            return self._exporter.export(
                estimator=estimator, export_path=layout.originals if layout else export_path,
                checkpoint_path=checkpoint_path, eval_result=eval_result,
                is_the_final_export=is_the_final_export)

        if layout is None:
            return exported()
        checkpoint = as_text(checkpoint_path, "checkpoint_path") if checkpoint_path else None
        let_go(but=checkpoint)
        with held(checkpoint):
            before, result = _versions(layout.originals), exported()
            original = self._exported(result, layout.originals, before)
            with self._failing(f"versions in {layout.originals} may lack their slim servables"):
                step = step_of(eval_result, checkpoint)
                self._slim(Call(estimator, checkpoint, step, layout), original)
        return layout.returned(result) if original and result is not None else result

    def _layout(self, export_path: str) -> Layout | None:
        """Where everything goes; None where that cannot be."""
        with self._failing(f"no slim servables of what is exported to {export_path}"):
            return layout_of(export_path, layout=self._chosen("layout"), suffix=self._chosen("suffix"),
                             root=self._chosen("root"), report=self._chosen("report"))
        return None

    def _slim(self, call: Call, original: str | None) -> None:
        """Sees to the slim twin of what was exported, if something was, and to one that is missing."""
        if original:
            self._follow(call, original)
            failed = self._failed.get(call.layout.slim(original))
            if failed and failed.error and failed.error.passing:
                return  # as where the disk is full
        folder = os.path.dirname(original) if original else call.layout.originals
        if folder and tf.io.gfile.isdir(folder):
            self._make_up(call, as_text(folder, "export_path"), original)

    def _exported(self, result: Any, export_path: str, before: set[str]) -> str | None:
        """The version that was exported, by what the wrapped exporter returned, or by what is new."""
        with self._failing(f"no slim servable of what the exporter {self.name!r} returned"):
            if result is not None:
                return as_path(result, self.name)
            new = sorted(_versions(export_path) - before, key=int)
            if new:
                original = os.path.join(as_text(export_path, "export_path"), new[-1])
                log.warning("estimator_slim: the exporter %r returned None, yet %s is new; it gets its "
                            "slim servable all the same. Let the exporter return the path", self.name,
                            original)
                return original
        return None

    def _follow(self, call: Call, original: str) -> None:
        """Writes the slim twin of a new original; removes the twins of those that are gone."""
        with self._failing(f"the folder beside {original} may hold versions whose original is gone"):
            with self._failing(f"no slim servable of {original}"):
                self._write(call, original)
            if call.layout.replaced:
                stand_in(original, call.layout.slim(original))
            mirror_collection(original, call.layout)

    def _make_up(self, call: Call, folder: str, but: str | None) -> None:
        """Writes the newest slim twin in a folder of exports that is missing and worth another try."""
        slims = os.path.dirname(call.layout.slim(os.path.join(folder, "0")))
        there = _versions(folder)
        self._failed = {slim: record for slim, record in self._failed.items()
                        if os.path.basename(slim) in there}
        options = replace(resolve(EXPORTER, self._arguments), report=call.layout.place)
        for one in lacking(folder, slims, options, self._failed):
            if one.original != but and not one.left_alone:
                log.info("estimator_slim: %s has no slim servable yet; it gets it now", one.original)
                with self._failing(f"no slim servable of {one.original}",
                                   again=one.last is not None and one.last.error is not None):
                    try:
                        self._write(call.of(one.original), one.original)
                    except DestinationError:
                        if not tf.io.gfile.exists(one.slim):  # else another process has made it
                            raise
                if call.layout.replaced:
                    stand_in(one.original, one.slim)
                return

    def _write(self, call: Call, original: str) -> None:
        def options() -> Options:
            return call.completed(resolve(EXPORTER, self._arguments))

        place = call.layout.place
        self._require_own_suffix(chosen("suffix", None))
        with held(call.checkpoint) as checkpoint:
            write_twin(original, call.layout.slim(original), place, options, self._failed,
                       self._tell(call.estimator, call.step, place), checkpoint)

    def _tell(self, estimator: Any, step: int, place: Any) -> Callable[[Report], None] | None:
        """What shows a report in TensorBoard, among what the Estimator's model_dir holds."""
        model_dir = getattr(estimator, "model_dir", None)
        if model_dir is None or place == OFF:
            return None
        folder = events_folder(model_dir, self.name, self._chosen("suffix"))
        return functools.partial(write_events, folder, step)

    def _chosen(self, name: str) -> Any:
        return chosen(name, self._arguments[name])

    def _require_own_suffix(self, otherwise: str | None) -> None:
        """Refuses exporters that share a place. `otherwise`: the suffix of those given none."""
        within: Any = self
        places = []
        while isinstance(within, OptimizingExporter):
            places.append((within._chosen("layout"), within._arguments["suffix"] or otherwise))
            within = within._exporter
        require_own_place(*places)

    @contextlib.contextmanager
    def _failing(self, what: str, *, again: bool = False) -> Iterator[None]:
        """Logs what the block raises, and `what` it means, unless `on_error` is `raise`.

        `again`: the same was logged at length before.
        """
        try:
            yield
        except Exception as e:
            if self._chosen("on_error") == RAISE:
                raise
            if again:
                log.warning("estimator_slim: still %s: %s", what, e)
            else:
                log.failure(e, f"estimator_slim: {what}; the original is as it was and "
                               "training goes on")


def _versions(folder: str) -> set[str]:
    """The names of versions in a folder of exports; none where it cannot be listed."""
    with contextlib.suppress(tf.errors.OpError, TypeError):
        return {name for name in names_in(folder) if name.isdigit()}
    return set()
