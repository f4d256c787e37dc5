"""What an option may be: each takes its name and what was given, and returns the value as it is used.

All raise an OptionError that says what was expected, of whoever gave the value: code or a flag.
"""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from estimator_slim.errors import OptionError
from estimator_slim.libraries import is_there
from estimator_slim.paths import as_text, has_content

if TYPE_CHECKING:
    from estimator_slim.transforms import Transform

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10,
          "mib": 2**20, "gib": 2**30, "tib": 2**40}


def transforms(name: str, value: Any) -> tuple[Transform, ...]:
    from estimator_slim.transforms import transform_list  # loads TensorFlow
    return tuple(transform_list(value))


def boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise OptionError(f"{name}: expected True or False, got {value!r}")
    return value


def one_of(choices: tuple[str, ...], name: str, value: Any) -> str:
    if value not in choices:
        raise OptionError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    return value


def one_of_or_none(choices: tuple[str, ...], name: str, value: Any) -> str | None:
    return None if value is None else one_of(choices, name, value)


def bits(name: str, value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or value not in (4, 8, 16)):
        raise OptionError(f"{name}: expected 4, 8 or 16, got {value!r}")
    return value  # type: ignore[no-any-return]


def suffix(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value or "/" in value:
        raise OptionError(f"{name}: expected a text that is not empty and has no '/', such as "
                          f"'-slim', got {value!r}")
    return value


def share(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= float(value) <= 1:
        raise OptionError(f"{name}: expected a number from 0 to 1, got {value!r}")
    return float(value)


def path_to(what: str, name: str, value: Any) -> str | None:
    """`what`: is there, as the error has it."""
    if value is None:
        return None
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise OptionError(f"{name}: expected {what}, got {value!r}")
    return as_text(value, name)


def examples(name: str, value: Any) -> str | None:
    if value is None:
        return None
    path = as_text(value, name) if isinstance(value, (str, bytes, os.PathLike)) else ""
    if path and has_content(path):
        return path
    raise OptionError(f"{name}: expected a TFRecord file of tf.Examples that is there and not "
                      f"empty, got {value!r}; JSON and .npz files of inputs are taken too")


def checkpoint(name: str, value: Any) -> str | None:
    """The prefix of a checkpoint, or of the last one in a model_dir."""
    if value is None:
        return None
    import tensorflow as tf  # takes seconds, and mostly there is none
    path = as_text(value, name) if isinstance(value, (str, bytes, os.PathLike)) else ""
    found = tf.train.latest_checkpoint(path) if tf.io.gfile.isdir(path) else path
    if found and has_content(f"{found}.index"):
        return as_text(found, name)
    raise OptionError(f"{name}: expected a training checkpoint, such as model_dir/model.ckpt-1000 (with "
                      f"a file of this name and .index), or a model_dir that has one, got {value!r}")


def input_fn(name: str, value: Any) -> Callable[..., Any] | None:
    if value is not None and not callable(value):
        raise OptionError(f"{name}: expected an input_fn of an Estimator, got {value!r}")
    return value


def modules(name: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(one, str) for one in names):
        raise OptionError(f"{name}: expected names of Python modules, comma-separated or in a list, "
                          f"such as 'tensorflow_text', got {value!r}")
    found = tuple(one.strip() for one in names if one.strip())
    for one in found:
        if not is_there(one):
            raise OptionError(f"{name}: there is no Python module {one!r}; expected one "
                              "that defines operations, such as tensorflow_text. Install what it is in, "
                              "or leave it out")
    return found


def memory(name: str, value: Any) -> int | None:
    """Bytes, of a number or of a text such as 500MB, 2GB or 1.5GiB."""
    if value is None:
        return None
    found = isinstance(value, str) and re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.lower())
    if found and found[2] in _UNITS:
        value = int(float(found[1]) * _UNITS[found[2]])
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise OptionError(f"{name}: expected bytes, such as 500MB or 2GB (also KB, KiB, MiB, GiB), got "
                          f"{value!r}")
    return int(value)


def seconds(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise OptionError(f"{name}: expected a whole number of seconds, 1 or more, got {value!r}")
    return int(value)


def records(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise OptionError(f"{name}: expected a number of records, 0 or more, got {value!r}")
    return int(value)
