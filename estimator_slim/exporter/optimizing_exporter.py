"""OptimizingExporter: wraps the exporter that an EvalSpec has and slims what it exports."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from estimator_slim.choosing import chosen, given, resolve
from estimator_slim.errors import OptionError
from estimator_slim.events import step_of
from estimator_slim.exporter.call import Call
from estimator_slim.exporter.held_checkpoint import held, hold_newest, let_go
from estimator_slim.exporter.interruption import without_frames
from estimator_slim.exporter.nesting import require_own_place
from estimator_slim.exporter.returned import exported_version
from estimator_slim.exporter.slimming import Slimming
from estimator_slim.options import EXPORTER, are_parsed
from estimator_slim.paths import as_text
from estimator_slim.transforms import TransformList
from estimator_slim.twins import versions_in


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
                 imports: str | Sequence[str] | None = None, report: Any = None,
                 background: bool | None = None):
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
          background: True slims in a process beside the evaluation, which goes on meanwhile; the last
            version has its slim twin when the final export returns, or else when the program ends.

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
        self._slimming = Slimming(self.name, self._arguments, self._require_own_suffix)
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
          What the wrapped exporter returned; in the layout `replace` the path of the slim twin, which is
          there: in the background it will be, unless a newer version takes its turn; at the final
          export it is.
        """
        slimming = self._slimming
        layout = slimming.layout(export_path) if slimming.chosen("enabled") else None

        def exported() -> Any:
            return self._exporter.export(
                estimator=estimator, export_path=layout.originals if layout else export_path,
                checkpoint_path=checkpoint_path, eval_result=eval_result,
                is_the_final_export=is_the_final_export)

        if layout is None:
            return exported()
        slimming.raise_from_background()
        checkpoint = as_text(checkpoint_path, "checkpoint_path") if checkpoint_path else None
        let_go(but=checkpoint)
        with held(checkpoint):
            before, result = versions_in(layout.originals), exported()
            original = self._exported(result, layout.originals, before)
            call = Call(estimator, checkpoint, step_of(eval_result, checkpoint), layout)
            without_frames(lambda: self._slim(call, original, is_the_final_export))
        if not is_the_final_export:
            hold_newest(checkpoint)
        slimming.raise_from_background()
        return layout.returned(result) if original and result is not None else result

    def _exported(self, result: Any, export_path: str, before: set[str]) -> str | None:
        with self._slimming.failing(f"no slim servable of what the exporter {self.name!r} returned"):
            return exported_version(result, self.name, export_path, before)
        return None

    def _slim(self, call: Call, original: str | None, is_the_last: bool) -> None:
        """Sees to the slim twin of what was exported, if something was, and to one that is missing."""
        slimming = self._slimming
        folder = os.path.dirname(original) if original else call.layout.originals
        try:
            with slimming.failing(f"versions in {folder} may lack their slim servables"):
                goes_on = not original or slimming.follow(call, original)  # else the disk is full, say
                if is_the_last:
                    slimming.background.finish()  # so that there is room for one that is missing
                if goes_on and tf.io.gfile.isdir(folder):
                    slimming.make_up(call, as_text(folder, "export_path"), original)
            if is_the_last:
                slimming.background.finish()
        finally:
            if slimming.background.is_idle:
                slimming.tell_of_newest(call, folder, is_new=original is not None)

    def _require_own_suffix(self, otherwise: str | None) -> None:
        """Refuses exporters that share a place. `otherwise`: the suffix of those given none."""
        within: Any = self
        places = []
        while isinstance(within, OptimizingExporter):
            places.append((within._slimming.chosen("layout"), within._arguments["suffix"] or otherwise))
            within = within._exporter
        require_own_place(*places)
