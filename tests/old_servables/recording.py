"""Requests and answers as a JSON file that people can read; for TensorFlow 1.15 and later.

Strings are bytes, spelt as Latin-1; an array is {"dtype", "shape", "values"}, its values in a flat list.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import tensorflow as tf

Sparse = tf.compat.v1.SparseTensorValue


def save(path: str, tags: Any, requests: Any, answers: dict) -> None:
    """Writes what `ask` was given and what it returned."""
    recorded = {"tags": list(tags), "requests": [_encoded(r) for r in requests],
                "answers": {f"{key} {number}": _encoded(answer)
                            for (key, number), answer in answers.items()}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(recorded, file, ensure_ascii=True, separators=(",", ":"),
                  sort_keys=True)
        file.write("\n")


def load(path: str) -> tuple:
    """(tags, requests, answers) of a file that `save` wrote."""
    with open(path, encoding="utf-8") as file:
        recorded = json.load(file)
    answers = {}
    for key, answer in recorded["answers"].items():
        name, number = key.rsplit(" ", 1)
        answers[name, int(number)] = _decoded(answer)
    return recorded["tags"], [_decoded(r) for r in recorded["requests"]], answers


def _encoded(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, Sparse):
        return {"sparse": [_encoded(part) for part in value]}
    if isinstance(value, dict):
        return {key: _encoded(one) for key, one in value.items()}
    array = np.asarray(value)
    return {"dtype": "object" if array.dtype.kind in "OSU" else array.dtype.name,
            "shape": list(array.shape), "values": [_plain(one) for one in array.reshape(-1)]}


def _plain(one: Any) -> Any:
    """A number or text that JSON has; a float in as few digits as tell it from its neighbours."""
    if isinstance(one, bytes):
        return one.decode("latin-1")
    if isinstance(one, (np.floating, float)):
        return float(str(one))
    return one.item() if isinstance(one, np.generic) else one


def _decoded(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if "sparse" in value:
        return Sparse(*map(_decoded, value["sparse"]))
    if "dtype" not in value:
        return {key: _decoded(one) for key, one in value.items()}
    values = value["values"]
    if value["dtype"] == "object":
        values = [one.encode("latin-1") for one in values]
    array = np.empty(len(values), value["dtype"])
    array[:] = values
    return array.reshape(value["shape"])
