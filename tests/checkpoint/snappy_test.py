"""An index whose blocks are compressed by Snappy is read as TensorFlow reads it, or refused."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import dataset_pb2, tensor_pb2

from estimator_slim import SourceError
from estimator_slim.checkpoint import table
from estimator_slim.checkpoint.snappy import decompressed
from estimator_slim.graph import read_varint, varint
from tests.support.alike import assert_same_answers
from tests.support.by_hand import servable, slim, variable

v1 = tf.compat.v1


def compressed(content: bytes) -> bytes:
    """By TensorFlow's own Snappy, which packs the elements of datasets."""
    element = tf.raw_ops.CompressElement(components=[np.frombuffer(content, np.uint8)])
    packed = tensor_pb2.TensorProto.FromString(tf.io.serialize_tensor(element).numpy()).tensor_content
    variant = tensor_pb2.VariantTensorDataProto.FromString(packed[read_varint(packed, 0)[1]:])
    return dataset_pb2.CompressedElement.FromString(variant.metadata).data


def literal(content: bytes) -> bytes:
    """As a writer that compresses nothing: pieces of 60 bytes, and one of 300."""
    parts = [content[:300], *(content[at:at + 60] for at in range(300, len(content), 60))]
    return varint(len(content)) + b"".join(
        (bytes([61 << 2]) + struct.pack("<H", len(part) - 1) if len(part) > 60
         else bytes([len(part) - 1 << 2])) + part for part in parts if part)


def far_copies(content: bytes) -> bytes:
    """The first half as it stands, then each byte as a copy by 4 bytes of distance, or as it stands."""
    half = len(content) // 2
    out = varint(len(content)) + b"".join(bytes([0, byte]) for byte in content[:half])
    for at in range(half, len(content)):
        found = content.rfind(content[at:at + 1], 0, at)
        out += bytes([3]) + struct.pack("<I", at - found) if found >= 0 else bytes([0, content[at]])
    return out


WRITERS = (compressed, literal, far_copies)


def rewrite(path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Writes an index again, in small blocks, each of them packed."""
    pairs = table.read_table(path.read_bytes(), str(path))
    out, handles = bytearray(), []

    def append(block: bytes) -> bytes:
        packed = pack(block)
        handle = varint(len(out)) + varint(len(packed))
        out.extend(packed + struct.pack("<BI", 1, table._checksum(packed, 1)))
        return handle
    for start in range(0, len(pairs), 3):
        part = pairs[start:start + 3]
        handles.append((part[-1][0], append(entries(part))))
    footer = append(entries([])) + append(entries(handles))
    path.write_bytes(bytes(out) + footer.ljust(40, b"\0") + path.read_bytes()[-8:])


def entries(pairs: list[tuple[bytes, bytes]]) -> bytes:
    block = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in pairs)
    return block + struct.pack("<II", 0, 1)


@pytest.mark.parametrize("pack", WRITERS)
def test_a_servable_with_a_compressed_index_is_slimmed(
        tmp_path: Path, pack: Callable) -> None:
    def network() -> tuple:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        for number in range(9):
            x += variable(f"a/layer/of/a/long/name/{number}", np.full(4, 1 / (number + 1), np.float32))
        return {"x": x.graph.get_tensor_by_name("x:0")}, {"y": x}
    source = servable(tmp_path, network)
    index = Path(source) / "variables" / "variables.index"
    before = index.read_bytes()
    rewrite(index, pack)
    assert index.read_bytes() != before
    path, _ = slim(source, "", weights="variables")
    assert_same_answers(path, source, {"x": np.ones([2, 4], np.float32)})  # TensorFlow reads it, too


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 50)), max_size=20),
       st.sampled_from(WRITERS))
def test_what_was_compressed_comes_back(parts: list, pack: Callable) -> None:
    content = b"".join(part * times for part, times in parts)
    assert decompressed(pack(content)) == content if content or pack is not compressed else True


@pytest.mark.parametrize("block, why", [
    (varint(1 << 31) + b"\0a", "cannot become 2,147,483,648"),
    (varint(80) + b"\0a", "cannot become 80"),
    (varint(5) + b"\0a", "do not make the 5"),
    (varint(1) + b"\x08abc", "do not make the 1"),
    (varint(4) + b"\x0cab", "do not make the 4"),
    (varint(9) + b"\0a" + b"\x11\x02" + b"\0b", "refer to 2 bytes back, of 1"),
    (varint(9) + b"\0a" + b"\x11\x00" + b"\0b", "refer to 0 bytes back"),
    (varint(9) + b"\xfc\xff\xff\xff\xff", "do not make the 9"),
    (b"\xff" * 12, "has no end"), (b"", "has no end")])
def test_what_is_no_snappy_is_refused(block: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decompressed(block)


def test_whatever_is_changed_in_a_block_it_ends_in_time_and_within_its_size() -> None:
    content = b"layer/kernel/Adam" * 20 + bytes(range(64))
    chance, blocks = random.Random(7), [pack(content) for pack in WRITERS]
    for number in range(2000):
        block = bytearray(blocks[number % len(blocks)])
        for _ in range(chance.randint(1, 4)):
            block[chance.randrange(len(block))] = chance.randrange(256)
        del block[chance.randint(1, 2 * len(block)):]
        with contextlib.suppress(ValueError, IndexError):
            assert len(decompressed(bytes(block))) <= 22 * len(block)


def test_a_block_that_is_no_snappy_is_an_error_of_the_source(
        tmp_path: Path) -> None:
    source = servable(tmp_path, lambda: (
        {"x": (x := v1.placeholder(tf.float32, [None]))}, {"y": x * variable("a", np.float32(2))}))
    index = Path(source) / "variables" / "variables.index"
    rewrite(index, lambda block: literal(block)[:-3])
    with pytest.raises(SourceError, match="variables.index cannot be read: its compressed bytes do not"):
        slim(source, "")
