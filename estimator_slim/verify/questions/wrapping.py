"""Strings that a servable unpacks before it reads them: base64, packed bytes, Examples as JSON, lists.

Which they are is told by the operations that unpack them. A servable that decodes base64 and then JPEG
is asked with images that are wrapped so.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from estimator_slim.graph import NodeDef, attribute, varint

_LIST = b"ExampleListWithContext"  # the proto of which TF Ranking takes one for each query
_LONGEST_LIST = 3


def unpacking(nodes: Iterable[NodeDef]) -> tuple[str, ...]:
    """How the strings are wrapped that `nodes` read, the outermost first."""
    found = [name for node in nodes for name in [_unpacked_by(node)] if name]
    return tuple(dict.fromkeys(found))


def wrapped(values: np.ndarray, wraps: Sequence[str]) -> np.ndarray:
    """`values`, bytes in an object array of one axis, as `unpacking` says that they are taken."""
    for name in reversed(wraps):
        values = _WRAPS[name](values)
    return values


def _unpacked_by(node: NodeDef) -> str:
    if node.op == "DecodeProtoV2":
        return "list" if attribute(node, "message_type").s.endswith(_LIST) else ""
    if node.op == "DecodeCompressed":
        return attribute(node, "compression_type").s.decode().lower()
    return {"DecodeBase64": "base64", "DecodeJSONExample": "json"}.get(node.op, "")


def _each(change: Callable[[bytes], bytes]) -> Callable[[np.ndarray], np.ndarray]:
    def changed(values: np.ndarray) -> np.ndarray:
        result = np.empty(len(values), object)
        result[:] = [change(value) for value in values]
        return result
    return changed


def _json(content: bytes) -> bytes:
    """An Example as JSON; what is none as it is."""
    try:
        return json_format.MessageToJson(tf.train.Example.FromString(content), indent=None).encode()
    except (DecodeError, UnicodeDecodeError):
        return content


def _lists(values: np.ndarray) -> np.ndarray:
    """For each Example the list of it and some that follow, and itself as what they share."""
    result = np.empty(len(values), object)
    for number in range(len(values)):
        listed = [values[(number + n) % len(values)] for n in range(1 + number % _LONGEST_LIST)]
        result[number] = b"".join([*(_field(1, one) for one in listed), _field(2, values[number])])
    return result


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes as protos write it."""
    return varint(number << 3 | 2) + varint(len(content)) + content


_WRAPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "base64": _each(base64.urlsafe_b64encode), "json": _each(_json), "list": _lists,
    "zlib": _each(zlib.compress), "gzip": _each(gzip.compress)}
