"""Changes of one field anywhere in a proto, found by what the proto says of itself."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

NUMBERS = [0, 1, -1, 2, 7, 31, 255, 2**15, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -2**63]
TEXTS = ["", "^", ":0", "a:b", "^a", "a", "x", "/", "../x", "\0", "é", "a" * 300, "Const", "Identity",
         "save", "type.googleapis.com/tensorflow.NodeDef", "serve", "loc:@a", "/device:GPU:0"]


def mutate_proto(proto: Any, rng: random.Random) -> str:
    """Changes one field somewhere in `proto`; returns where and how."""
    path = []
    while True:
        fields = [f for f in proto.DESCRIPTOR.fields if f.name != "node_def" or rng.random() < 0.5]
        present = [f for f, _ in proto.ListFields()]
        field = rng.choice(present if present and rng.random() < 0.9 else fields)
        path.append(field.name)
        inner = _inside(proto, field, rng)
        if inner is None or rng.random() < 0.15:
            return ".".join(path) + " " + _change(proto, field, rng)
        proto = inner


def _inside(proto: Any, field: Any, rng: random.Random) -> Any:
    """A message in `field` to go on with, if there is one."""
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return None
    value = getattr(proto, field.name)
    if field.label != FieldDescriptor.LABEL_REPEATED:
        return value if proto.HasField(field.name) else None
    if field.message_type.GetOptions().map_entry:
        inner = value[rng.choice(sorted(value))] if value else None
        return inner if hasattr(inner, "DESCRIPTOR") else None
    return rng.choice(value) if value else None


def _change(proto: Any, field: Any, rng: random.Random) -> str:
    if field.label != FieldDescriptor.LABEL_REPEATED:
        if field.type == FieldDescriptor.TYPE_MESSAGE or rng.random() < 0.2:
            proto.ClearField(field.name)
            return "cleared"
        setattr(proto, field.name, _scalar(field, rng))
        return f"= {str(getattr(proto, field.name))[:40]!r}"
    values = getattr(proto, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _change_map(values, rng)
    how = rng.choice(("drop", "repeat", "swap", "add", "clear"))
    if how == "clear" or (values and how == "drop" and len(values) == 1):
        del values[:]
    elif how == "drop" and values:
        del values[rng.randrange(len(values))]
    elif how == "repeat" and values:
        values.append(rng.choice(values))
    elif how == "swap" and len(values) > 1 and field.message_type is None:
        a, b = rng.sample(range(len(values)), 2)
        values[a], values[b] = values[b], values[a]
    elif field.message_type is None:
        values.append(_scalar(field, rng))
    return how


def _change_map(values: Any, rng: random.Random) -> str:
    if not values:
        return "nothing"
    key, other = rng.choice(sorted(values)), rng.choice(sorted(values))
    if rng.random() < 0.5:
        del values[key]
        return f"without {key!r}"
    if hasattr(values[key], "CopyFrom"):
        values[key].CopyFrom(values[other])
    else:
        values[key] = values[other]
    return f"{key!r} = {other!r}"


def _scalar(field: Any, rng: random.Random) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(TEXTS)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice((b"", b"\xff\xfe", b"noise", bytes(100), *(t.encode() for t in TEXTS)))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return rng.choice((0.0, 1.0, -1.0, 1e38, float("inf"), float("nan")))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return rng.choice((0, 1, 3, 7, 9, 10, 20, 21, 101, 999))
    is_short = field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32)
    bits, number = 32 if is_short else 64, rng.choice(NUMBERS)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64):
        return number % 2**bits
    return (number + 2**(bits - 1)) % 2**bits - 2**(bits - 1)
