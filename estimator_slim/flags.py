"""The absl flags, `--slim_*`, and the rule by which an argument in code wins over its flag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from absl import flags

from estimator_slim.errors import OptionError
from estimator_slim.saved_model.other_meta_graphs import KEPT, SERVE
from estimator_slim.transforms import DEFAULT, TransformList, transform_list
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.place_weights import AUTO, PLACES

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
    """

    transforms: tuple[Transform, ...]
    enabled: bool
    on_error: str
    suffix: str
    weights: str
    meta_graphs: str


def resolve(*, transforms: TransformList | None = None, enabled: bool | None = None,
            on_error: str | None = None, suffix: str | None = None,
            weights: str | None = None, meta_graphs: str | None = None) -> Options:
    """The options: each argument, or its flag's value where it is None.

    Where nobody parsed the flags (a notebook) their defaults hold.

    Raises:
      OptionError: a value is not one of those that the flag takes.
    """
    return Options(
        transforms=tuple(transform_list(_chosen("transforms", transforms))),
        enabled=_enabled(_chosen("enabled", enabled)),
        on_error=_one_of("on_error", _chosen("on_error", on_error), _ON_ERROR),
        suffix=_suffix(_chosen("suffix", suffix)),
        weights=_one_of("weights", _chosen("weights", weights), PLACES),
        meta_graphs=_one_of("meta_graphs", _chosen("meta_graphs", meta_graphs), KEPT))


def is_given(name: str) -> bool:
    """True if `--slim_<name>` stands on the command line or was set in code."""
    flag = flags.FLAGS["slim_" + name]
    return bool(flag.present) or not flag.using_default_value


def _chosen(name: str, argument: Any) -> Any:
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
