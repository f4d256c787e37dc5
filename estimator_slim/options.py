"""The absl flags, `--slim_*`, and the rule by which an argument in code wins over its flag."""

from __future__ import annotations

import functools
import numbers
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from absl import flags

from estimator_slim.errors import OptionError
from estimator_slim.paths import as_text
from estimator_slim.saved_model import KEPT, SERVE
from estimator_slim.transforms import AUTO, DEFAULT, PLACES, Transform, TransformList, transform_list
from estimator_slim.verify import ENFORCE, MODES

KEEP_ORIGINAL, RAISE = "keep_original", "raise"
_ON_ERROR = (KEEP_ORIGINAL, RAISE)

flags.DEFINE_string(
    "slim_transforms", DEFAULT,
    "The graph transforms to run on every export, in the Graph Transform Tool's syntax.")
flags.DEFINE_boolean(
    "slim_enabled", True, "Whether to write a slim servable beside every export.")
flags.DEFINE_enum(
    "slim_on_error", KEEP_ORIGINAL, _ON_ERROR,
    "What a failed optimization does: keep_original logs it and goes on, raise stops the program.")
flags.DEFINE_string(
    "slim_suffix", "-slim",
    "What is added to the name of the export's folder to name the slim servables' folder.")
flags.DEFINE_enum(
    "slim_weights", AUTO, PLACES,
    "Where weights are written: auto (small ones as constants, large ones as variables), variables or "
    "constants.")
flags.DEFINE_enum(
    "slim_meta_graphs", SERVE, KEPT,
    "Which MetaGraphs a slim servable has: serve, the one that is optimized, or all, the others as they "
    "are and with the whole checkpoint that they restore.")
flags.DEFINE_enum(
    "slim_verify", ENFORCE, MODES,
    "What becomes of a slim servable that does not answer as its original: enforce does not publish it, "
    "report logs what differs and publishes it, off asks nothing.")
flags.DEFINE_float(
    "slim_max_error", None,
    "Largest allowed error of an output, as a share of its range; by default what is usual for the "
    "transforms.")
flags.DEFINE_float(
    "slim_min_agreement", None,
    "Smallest allowed share of decisions that stay the same, near ties not counted; by default what is "
    "usual for the transforms.")
flags.DEFINE_string(
    "slim_verify_examples", None,
    "A TFRecord file of serialized tf.Examples to verify with.")
flags.DEFINE_integer(
    "slim_warmup", 0,
    "How many warm-up records to write for each signature.")


@dataclass(frozen=True)
class Options:
    """What was chosen, checked.

    Attributes:
      transforms: to run, in order.
      enabled: False writes nothing.
      on_error: `keep_original` or `raise`.
      suffix: of the slim servables' folder.
      weights: `auto`, `variables` or `constants`.
      meta_graphs: `serve` or `all`.
      verify: `enforce`, `report` or `off`.
      max_error: share of an output's range; None: what is usual for the transforms.
      min_agreement: share of decisions; None: likewise.
      verify_examples: a TFRecord file, or None.
      verify_input_fn: an Estimator's input_fn to verify with, or None; it has no flag.
      warmup: records for each signature.
    """

    transforms: tuple[Transform, ...]
    enabled: bool
    on_error: str
    suffix: str
    weights: str
    meta_graphs: str
    verify: str
    max_error: float | None
    min_agreement: float | None
    verify_examples: str | None
    verify_input_fn: Callable[..., Any] | None
    warmup: int


def resolve(*, transforms: TransformList | None = None, enabled: bool | None = None,
            on_error: str | None = None, suffix: str | None = None,
            weights: str | None = None, meta_graphs: str | None = None, verify: str | None = None,
            max_error: float | None = None, min_agreement: float | None = None,
            verify_examples: Any = None, verify_input_fn: Callable[..., Any] | None = None,
            warmup: int | None = None) -> Options:
    """The options: each argument, or its flag's value where it is None.

    Where nobody parsed the flags (a notebook) their defaults hold.

    Raises:
      OptionError: a value is not one of those that the flag takes.
    """
    return Options(
        transforms=tuple(transform_list(chosen("transforms", transforms))),
        enabled=_enabled(chosen("enabled", enabled)),
        on_error=_one_of("on_error", chosen("on_error", on_error), _ON_ERROR),
        suffix=_suffix(chosen("suffix", suffix)),
        weights=_one_of("weights", chosen("weights", weights), PLACES),
        meta_graphs=_one_of("meta_graphs", chosen("meta_graphs", meta_graphs), KEPT),
        verify=_one_of("verify", chosen("verify", verify), MODES),
        max_error=_share("max_error", chosen("max_error", max_error)),
        min_agreement=_share("min_agreement", chosen("min_agreement", min_agreement)),
        verify_examples=_file(chosen("verify_examples", verify_examples)),
        verify_input_fn=_input_fn(verify_input_fn),
        warmup=_count(chosen("warmup", warmup)))


def is_given(name: str) -> bool:
    """True if `--slim_<name>` stands on the command line or was set in code."""
    flag = flags.FLAGS["slim_" + name]
    return bool(flag.present) or not flag.using_default_value


def are_parsed() -> bool:
    """False before absl.app.run, and for ever in a notebook."""
    return bool(flags.FLAGS.is_parsed())


def chosen(name: str, argument: Any) -> Any:
    """The argument, or the value of `--slim_<name>` where it is None; not checked."""
    return flags.FLAGS["slim_" + name].value if argument is None else argument


def _enabled(value: Any) -> bool:
    if not isinstance(value, bool):
        raise OptionError(f"enabled: expected True or False, got {value!r}")
    return value


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise OptionError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    return value


def _suffix(value: Any) -> str:
    if not isinstance(value, str) or not value or "/" in value:
        raise OptionError("suffix: expected a text that is not empty and has no '/', such as "
                          f"'-slim', got {value!r}")
    return value


def _share(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= float(value) <= 1:
        raise OptionError(f"{name}: expected a number from 0 to 1, got {value!r}")
    return float(value)


def _file(value: Any) -> str | None:
    if value is None:
        return None
    path = as_text(value, "verify_examples") if isinstance(value, (str, bytes, os.PathLike)) else ""
    if path and _has_content(path):
        return path
    raise OptionError("verify_examples: expected a TFRecord file of tf.Examples that is there and not "
                      f"empty, got {value!r}")


def _has_content(path: str) -> bool:
    try:
        found = tf.io.gfile.stat(path)
    except tf.errors.OpError:
        return False
    return found.length > 0 and not found.is_directory


def _input_fn(value: Any) -> Callable[..., Any] | None:
    if value is not None and not callable(value):
        raise OptionError(f"verify_input_fn: expected an input_fn of an Estimator, got {value!r}")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise OptionError(f"warmup: expected a number of records, 0 or more, got {value!r}")
    return int(value)


def _validator(check: Any) -> Any:
    def validate(value: Any) -> bool:
        try:
            check(value)
        except OptionError as e:
            raise flags.ValidationError(str(e)) from e
        return True
    return validate


flags.register_validator("slim_transforms", _validator(transform_list))
flags.register_validator("slim_suffix", _validator(_suffix))
flags.register_validator("slim_max_error", _validator(functools.partial(_share, "max_error")))
flags.register_validator("slim_min_agreement", _validator(functools.partial(_share, "min_agreement")))
flags.register_validator("slim_verify_examples", _validator(_file))
flags.register_validator("slim_warmup", _validator(_count))
