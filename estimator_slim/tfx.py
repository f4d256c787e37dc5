"""TensorFlow Extended: what its Trainer calls, such that its Pusher finds the slim servable alone.

    trainer_fn = estimator_slim.tfx.trainer_fn(trainer_fn)    # in a module_file, for Trainer's Executor
    run_fn = estimator_slim.tfx.run_fn(run_fn)                # likewise, for its GenericExecutor
    converters.rewrite_saved_model(src, dst, estimator_slim.tfx.Rewriter())

Trainer and Pusher take the only folder in `<serving_model_dir>/export/` and the only version in it, or,
where there is no `export/`, what lies in `<serving_model_dir>` itself. So the originals go elsewhere.
TFX is not imported here: what it hands over is known by its attributes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from estimator_slim import log
from estimator_slim.choosing import chosen, resolve
from estimator_slim.errors import EstimatorSlimError, SourceError
from estimator_slim.exporter import OptimizingExporter
from estimator_slim.layout import REPLACE
from estimator_slim.optimize import optimize_saved_model
from estimator_slim.options import EXPORTER, FUNCTION, OFF, RAISE
from estimator_slim.paths import as_text
from estimator_slim.saved_model import publish_copy

_TO_SAVED_MODELS = ("SAVED_MODEL", "ANY_MODEL")  # of TFX's ModelType


def trainer_fn(wrapped: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A `trainer_fn` whose exporters leave slim servables in `export/`.

    Args:
      wrapped: takes TFX's `fn_args` and a schema, and returns a dict with an Estimator and its
        `eval_spec`, or an object with these attributes.
      options: arguments of OptimizingExporter; `layout` is `replace`.

    Raises:
      OptionError: an option is wrong.
    """
    resolve(EXPORTER, {"layout": REPLACE, **options})

    @functools.wraps(wrapped)
    def slimming(*arguments: Any, **by_name: Any) -> Any:
        spec = wrapped(*arguments, **by_name)
        of = spec["eval_spec"] if isinstance(spec, dict) else spec.eval_spec
        slim = of._replace(exporters=tuple(_slimming(one, options) for one in of.exporters or ()))
        if not isinstance(spec, dict):
            spec.eval_spec = slim
            return spec
        return {**spec, "eval_spec": slim}
    return slimming


def run_fn(wrapped: Callable[[Any], Any], **options: Any) -> Callable[[Any], None]:
    """A `run_fn` that leaves a slim servable in `fn_args.serving_model_dir`.

    The original goes to `original/` in `fn_args.model_run_dir`, and the record beside it. Where nothing
    passes verification, or the optimization fails and that is only logged, TFX gets a copy of it.

    Args:
      wrapped: takes TFX's `fn_args`, trains, and saves a model in `fn_args.serving_model_dir`, whether
        into it or, as an Estimator does whose model_dir it is, into `export/<name>/<version>` in it.
      options: arguments of `optimize_saved_model`.

    Raises:
      OptionError: an option is wrong.
      SourceError: when it is called, where TFX would not know which model to take.
    """
    resolve(FUNCTION, options)

    @functools.wraps(wrapped)
    def slimming(fn_args: Any) -> None:
        served = fn_args.serving_model_dir
        folder = os.path.join(as_text(fn_args.model_run_dir, "model_run_dir"), "original")
        fn_args.serving_model_dir = folder
        try:
            wrapped(fn_args)
        finally:
            fn_args.serving_model_dir = served
        original = _model_in(folder)
        if original is None:
            log.info("estimator_slim: %s has no model, as where another worker exports it", folder)
            return
        _slim_or_copy(original, as_text(served, "serving_model_dir"), {
            "report": fn_args.model_run_dir, "checkpoint": tf.train.latest_checkpoint(folder),
            "on_error": chosen("on_error", None), **options})
    return slimming


class Rewriter:
    """A rewriter as `tfx.components.trainer.rewriting.converters` calls it.

    Args:
      options: arguments of `optimize_saved_model`; by default no record is kept.
    """

    name = "estimator_slim"

    def __init__(self, **options: Any) -> None:
        self._options = {"report": OFF, "on_error": RAISE, **options}

    def perform_rewrite(self, original_model: Any, rewritten_model: Any) -> None:
        """Writes the slim servable of the model at `original_model.path` to `rewritten_model.path`.

        Raises:
          ValueError: it cannot be written, or something else than a SavedModel is asked for.
        """
        wanted = rewritten_model.model_type
        if getattr(wanted, "name", wanted) not in _TO_SAVED_MODELS:
            raise ValueError(f"{self.name} rewrites a SavedModel to a SavedModel, and not to {wanted}; "
                             "expected ModelType.SAVED_MODEL or ModelType.ANY_MODEL")
        try:
            _slim_or_copy(original_model.path, rewritten_model.path, self._options)
        except EstimatorSlimError as e:
            raise ValueError(f"{self.name} failed to rewrite {original_model.path}: {e}") from e


def _slimming(exporter: Any, options: dict[str, Any]) -> Any:
    if isinstance(exporter, OptimizingExporter):
        return exporter
    return OptimizingExporter(exporter, **{"layout": REPLACE, **options})


def _model_in(folder: str) -> str | None:
    """The model that TFX would take from a serving_model_dir; None where there is none.

    Raises:
      SourceError: there are several.
    """
    exports = os.path.join(folder, "export")
    if not tf.io.gfile.isdir(exports):
        return folder if tf.io.gfile.exists(os.path.join(folder, "saved_model.pb")) else None
    return _only(_only(exports))


def _only(folder: str) -> str:
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
    if len(names) != 1:
        raise SourceError(f"{folder}: expected one folder, since TFX takes the only one, got "
                          f"{', '.join(sorted(names)) or 'none'}; export with one exporter that keeps "
                          "one version, as FinalExporter, and has no OptimizingExporter around it")
    return os.path.join(folder, names[0])


def _slim_or_copy(original: str, directory: str, options: dict[str, Any]) -> None:
    if optimize_saved_model(original, directory, **options) is None:
        publish_copy(original, directory, "it was not slimmed, see the log")
