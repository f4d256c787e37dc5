"""Mutations of a servable: of its graph and its checkpoint by their structure, of files by their bytes.

Each is decided by a random.Random, so that a seed says all.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import EncodeError
from tensorflow.core.protobuf import saved_model_pb2, tensor_bundle_pb2

from tests.hostile.damage import edit_index
from tests.hostile.node_mutations import mutate_nodes
from tests.hostile.proto_mutations import mutate_proto


def mutate(directory: Path, rng: random.Random) -> str:
    """Mutates a servable's files, one to four times; returns what was done."""
    return "; ".join(rng.choice(_KINDS)(directory, rng) for _ in range(rng.choice((1, 1, 1, 2, 4))))


def of_structure(directory: Path, rng: random.Random) -> str:
    """Changes something anywhere in saved_model.pb."""
    return _rewritten(directory, lambda model: mutate_proto(model, rng))


def of_graph(directory: Path, rng: random.Random) -> str:
    """Changes nodes, inputs, attributes or functions in ways that a graph can be wrong in."""
    def change(model: Any) -> str:
        graph_def = rng.choice(model.meta_graphs).graph_def
        nodes = [graph_def.node, *(f.node_def for f in graph_def.library.function)]
        return mutate_nodes(rng.choice(nodes[:1] * 3 + nodes[1:]), rng)
    return _rewritten(directory, change)


def of_promises(directory: Path, rng: random.Random) -> str:
    """Changes signatures, collections, the saver, tags or versions."""
    def change(model: Any) -> str:
        meta_graph = rng.choice(model.meta_graphs)
        parts = [*meta_graph.signature_def.values(), *meta_graph.collection_def.values(),
                 meta_graph.saver_def, meta_graph.meta_info_def, meta_graph.graph_def.versions]
        return mutate_proto(rng.choice(parts), rng)
    return _rewritten(directory, change)


def of_index(directory: Path, rng: random.Random) -> str:
    """Changes an entry of the checkpoint's index, the checksums right again."""
    prefix = directory / "variables/variables"
    done = []

    def change(pairs: dict[bytes, bytes]) -> None:
        key = rng.choice(sorted(pairs))
        kind = tensor_bundle_pb2.BundleEntryProto if key else tensor_bundle_pb2.BundleHeaderProto
        proto = kind.FromString(pairs.pop(key))
        done.append(f"{key!r}: {mutate_proto(proto, rng)}")
        if rng.random() < 0.9:
            pairs[key if rng.random() < 0.9 else key + b"x"] = proto.SerializeToString()
    try:
        edit_index(prefix, change)
    except Exception:  # a mutation before this one has left no index
        return "no index left to mutate"
    return done[0]


def of_bytes(directory: Path, rng: random.Random) -> str:
    """Changes bytes of one file."""
    files = sorted(p for p in directory.rglob("*") if p.is_file())
    path = rng.choice(files)
    content = bytearray(path.read_bytes())
    how = rng.choice(("flip", "cut", "insert", "zero", "remove", "repeat"))
    at = rng.randrange(len(content) + 1)
    if how == "flip" and content:
        content[at - 1] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del content[at:]
    elif how == "insert":
        content[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 20)))
    elif how == "zero":
        content[at:at + 16] = bytes(len(content[at:at + 16]))
    elif how == "repeat":
        content[at:at] = content[at:at + rng.randrange(1, 200)]
    path.unlink()
    if how != "remove":
        path.write_bytes(content)
    return f"{how} {path.name} at {at}"


def as_text(directory: Path, rng: random.Random) -> str:
    """Writes the graph as text, perhaps with a line less."""
    path = directory / "saved_model.pb"
    if not path.exists():
        return "no saved_model.pb left"
    try:
        text = text_format.MessageToString(saved_model_pb2.SavedModel.FromString(path.read_bytes()))
    except Exception:
        return "no graph left to write as text"
    lines = text.splitlines()
    if rng.random() < 0.7 and lines:
        del lines[rng.randrange(len(lines))]
    path.unlink()
    (directory / "saved_model.pbtxt").write_text("\n".join(lines), encoding="utf-8")
    return "as text"


_KINDS = [of_graph] * 6 + [of_structure] * 3 + [of_promises, of_index] * 2 + [of_bytes, as_text]


def _rewritten(directory: Path, change: Callable[[Any], str]) -> str:
    path = directory / "saved_model.pb"
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        done = change(model)
        path.write_bytes(model.SerializeToString())
    except (OSError, EncodeError, IndexError, ValueError, TypeError) as error:
        return f"nothing ({type(error).__name__})"
    except Exception as error:
        if type(error).__name__ != "DecodeError":
            raise
        return "no graph left to mutate"
    return done
