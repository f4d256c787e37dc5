"""The rows of a file: a TFRecord file of tf.Examples, JSON as TensorFlow Serving's REST form, or .npz.

    {"instances": [{"x": [1, 2], "text": "on"}, ...]}    a request as it is sent; or a line for each
    {"inputs": {"x": [[1, 2], ...]}}                     the same, by column
    {"x": [1, 2], "text": {"b64": "b24="}}               a line for each instance
"""

from __future__ import annotations

import base64
import collections
import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.verify.answers import refusal
from estimator_slim.verify.questions.features import SERIALIZED, sparse
from estimator_slim.verify.tfrecords import read_records

EXPECTED = ("expected a TFRecord file of serialized tf.Examples, JSON as TensorFlow Serving's REST API "
            "takes it (whole requests, or an instance a line), or an .npz file of arrays by input")

_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b\x08"
_HEAD = 64  # bytes that tell text from records: the length of a record has zeros in it
_MOST_ROWS, _BATCH = 1024, 64

Columns = dict[str, Any]
Read = tuple[str, Columns]  # the signature that the rows are for, or ``; features by key


def read_rows(path: str) -> list[Read]:
    """The first 1,024 rows in batches of 64, for any signature or for one that the file names.

    Raises:
      OptionError: the file cannot be read, or has no rows.
    """
    try:
        found = list(_read(path))
    except (tf.errors.OpError, OSError, ValueError, TypeError, KeyError, EOFError,
            zipfile.BadZipFile) as e:
        raise OptionError(f"verify_examples: {path} cannot be read: {refusal(e).message}; "
                          f"{EXPECTED}") from e
    if not found:
        raise OptionError(f"verify_examples: {path} has no records; {EXPECTED}")
    return found


def _read(path: str) -> Iterator[Read]:
    with tf.io.gfile.GFile(path, "rb") as file:
        head = file.read(_HEAD)
    if head.startswith(_ZIP):
        yield from (("", batch) for batch in _batches(_arrays(path)))
    elif _is_json(head if not head.startswith(_GZIP) else gzip.decompress(_content(path))[:_HEAD]):
        yield from _of_json(_text(path))
    else:
        records = read_records(path, _MOST_ROWS)
        yield from (("", batch) for batch in _batches({SERIALIZED: _strings(records)}))


def _arrays(path: str) -> Columns:
    with np.load(io.BytesIO(_content(path)), allow_pickle=False) as arrays:
        return {key: _as_bytes(arrays[key]) for key in arrays.files}


def _as_bytes(array: np.ndarray) -> np.ndarray:
    """Texts as TensorFlow takes them: bytes, in an array of objects."""
    if array.dtype.kind == "U":
        array = np.char.encode(array, "utf-8")
    return array.astype(object) if array.dtype.kind == "S" else array


def _is_json(head: bytes) -> bool:
    return b"\0" not in head and head.lstrip()[:1] in (b"{", b"[", b'"')


def _content(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def _text(path: str) -> str:
    content = _content(path)
    return (gzip.decompress(content) if content.startswith(_GZIP) else content).decode()


def _of_json(text: str) -> Iterator[Read]:
    """One JSON value, or one a line."""
    try:
        values = [json.loads(text)]
    except json.JSONDecodeError:
        values = [json.loads(line) for line in text.splitlines() if line.strip()]
    rows: dict[str, list[Any]] = collections.defaultdict(list)
    for value in values:
        body = value if isinstance(value, dict) else {}
        signature = str(body.get("signature_name", ""))
        if "inputs" in body and not body.keys() - {"signature_name", "inputs"}:
            columns = body["inputs"] if _is_object(body["inputs"]) else {"": body["inputs"]}
            yield signature, {key: _array(column) for key, column in columns.items()}
        elif "instances" in body or "examples" in body:
            rows[signature] += body.get("instances") or body.get("examples") or []
        else:
            rows[signature] += value if isinstance(value, list) and len(values) == 1 else [value]
    for signature, those in rows.items():
        for start in range(0, min(len(those), _MOST_ROWS), _BATCH):
            yield signature, _columns(those[start:start + _BATCH])


def _is_object(value: Any) -> bool:
    """True for an object of inputs or features; {"b64": ...} is a value."""
    return isinstance(value, dict) and set(value) != {"b64"}


def _columns(rows: Sequence[Any]) -> Columns:
    """Features by key, of rows that are objects, or values of an only input."""
    objects = [row if _is_object(row) else {"": row} for row in rows]
    keys = dict.fromkeys(key for row in objects for key in row)
    return {key: _column([_array(row.get(key, [])) for row in objects]) for key in keys}


def _column(rows: Sequence[np.ndarray]) -> Any:
    """An array, where all rows have the same shape; a sparse tensor where some have more values."""
    dtypes = [row.dtype for row in rows if row.size]
    dtype = np.result_type(*dtypes) if dtypes else np.dtype(np.float32)
    rows = [row.astype(dtype) for row in rows]
    if len({row.shape for row in rows}) == 1:
        return np.stack(rows)
    return sparse([np.ravel(row) for row in rows])


def _array(value: Any) -> np.ndarray:
    """A value of JSON; texts as bytes, {"b64": ...} decoded."""
    decoded = _decoded(value)
    array = np.array(decoded, object)
    return array if array.size and isinstance(array.flat[0], bytes) else np.array(decoded)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode() if isinstance(value, str) else value


def _batches(columns: Columns) -> Iterator[Columns]:
    """Slices of 64 rows; the whole where rows are not alike many, as in the parts of a sparse tensor."""
    counts = {len(value) if value.ndim else -1 for value in columns.values()}
    if len(counts) != 1 or -1 in counts:
        yield from [columns] if columns else []
        return
    for start in range(0, min(_MOST_ROWS, counts.pop()), _BATCH):
        yield {key: value[start:start + _BATCH] for key, value in columns.items()}


def _strings(values: Iterable[bytes]) -> np.ndarray:
    listed = list(values)
    result = np.empty(len(listed), object)
    result[:] = listed
    return result
