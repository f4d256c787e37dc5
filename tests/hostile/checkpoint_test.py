"""A checkpoint's index is not believed: places, sizes and slices are checked against the files."""

from __future__ import annotations

import itertools
import os
import random
import struct
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from estimator_slim.checkpoint.checksum import masked_crc
from estimator_slim.checkpoint.index import data_path, slice_key
from estimator_slim.checkpoint.reader import CheckpointReader
from estimator_slim.checkpoint.region import Region, tile
from estimator_slim.checkpoint.table import read_table, write_table
from estimator_slim.errors import SourceError
from estimator_slim.graph import varint
from tests.hostile.damage import assert_refused, bounded_memory, edit_index

Entry = tensor_bundle_pb2.BundleEntryProto
FLOAT, STRING = 1, 7
INDEX, DATA = "variables.index", "variables.data-00000-of-00001"


def shape_of(*dims: int) -> Any:
    return tf.TensorShape(dims).as_proto()


def checkpoint(folder: Path, tensors: dict[str, Any], data_bytes: int = 0) -> str:
    """A checkpoint with an index made by hand, and a data file that is all hole."""
    prefix = str(folder / "c")
    header = tensor_bundle_pb2.BundleHeaderProto(num_shards=1).SerializeToString()
    pairs = {b"": header, **{key.encode(): e.SerializeToString() for key, e in tensors.items()}}
    Path(f"{prefix}.index").write_bytes(write_table(sorted(pairs.items())))
    with open(data_path(prefix, 0, 1), "wb") as file:
        file.truncate(data_bytes)
    return prefix


def entry(dtype: int, dims: tuple[int, ...], size: int, offset: int = 0) -> Any:
    return Entry(dtype=dtype, shape=shape_of(*dims), size=size, offset=offset)


def sliced(folder: Path, dims: tuple[int, int], boxes: list[tuple[int, int, int, int]]) -> str:
    """A float tensor of `dims` in slices (row, rows, column, columns), zeros all."""
    whole, parts = Entry(dtype=FLOAT, shape=shape_of(*dims)), {}
    for row, rows, column, columns in boxes:
        extents = [(row, rows), (column, columns)]
        whole.slices.add(extent=[{"start": a, "length": b} for a, b in extents])
        parts[slice_key("t", extents)] = entry(FLOAT, (rows, columns), 4 * rows * columns)
    prefix = checkpoint(folder, {"t": whole}, data_bytes=1 << 16)
    edit_index(Path(prefix), lambda pairs: pairs.update(
        {key: e.SerializeToString() for key, e in parts.items()}))
    return prefix


UNEVEN = {
    "twice the same": [(0, 5, 0, 4), (0, 5, 0, 4)],
    "overlap and hole": [(0, 6, 0, 4), (5, 4, 0, 4)],
    "hole in the middle": [(0, 4, 0, 4), (5, 5, 0, 4)],
    "columns overlap": [(0, 10, 0, 3), (0, 10, 2, 1)],
    "crossing": [(0, 10, 0, 2), (0, 5, 1, 2), (5, 5, 1, 2)],
    "nothing": [(0, 0, 0, 0)],
}


@pytest.mark.parametrize("kind", UNEVEN)
def test_slices_that_overlap_or_leave_holes_are_never_read(tmp_path: Path, kind: str) -> None:
    reader = CheckpointReader(sliced(tmp_path, (10, 4), UNEVEN[kind]))
    with pytest.raises(SourceError, match="'t' .* expected each element once.*export again"):
        reader.value("t")
    with pytest.raises(SourceError, match="expected each element once"):
        for row in range(10):
            reader.rows("t", row, row + 1)


def test_parts_tile_the_whole_exactly_when_each_element_is_in_one() -> None:
    rng = random.Random(3)
    whole, found = Region((0, 0), (4, 3)), set()
    spans = [(a, b) for a in range(5) for b in range(a, 5)]
    boxes = [Region((a, c), (b - a, d - c)) for (a, b), (c, d) in itertools.product(spans, spans)
             if d <= 3]
    for _ in range(5_000):
        parts = rng.sample(boxes, rng.randrange(1, 6))
        if rng.random() < 0.5:  # cut the whole, so that many tile
            row, column = rng.randrange(1, 4), rng.randrange(1, 3)
            parts = [Region((0, 0), (row, 3)), Region((row, 0), (4 - row, column)),
                     Region((row, column), (4 - row, 3 - column))][:rng.randrange(1, 4)]
        counts = np.zeros(whole.lengths, int)
        for part in parts:
            counts[part.inside(whole)] += 1
        assert tile(parts, whole) == bool((counts == 1).all())
        found.add(tile(parts, whole))
    assert found == {True, False}


def test_ten_thousand_slices_are_checked_in_time_that_grows_with_their_number() -> None:
    def work(count: int) -> int:
        parts = [Region((row, 0), (1, 8)) for row in range(count)]
        calls = itertools.count()
        before = next(calls)
        counted = [_Counting(part.starts, part.lengths, calls) for part in parts]
        assert tile(counted, Region((0, 0), (count, 8)))
        return next(calls) - before
    assert work(10_000) <= 11 * work(1_000)


class _Counting(Region):
    """A region that counts how often its end is asked for."""

    def __init__(self, starts: Any, lengths: Any, calls: Any):
        super().__init__(starts, lengths)
        object.__setattr__(self, "calls", calls)

    @property
    def stops(self) -> Any:
        next(self.calls)  # type: ignore[attr-defined]
        return super().stops


@pytest.mark.parametrize(("dims", "dtype"), [
    ((1, 1 << 32), FLOAT), ((1, 1 << 30), FLOAT), ((1 << 20, 0, 1 << 41), FLOAT),
    ((0, 1 << 61), FLOAT)], ids=str)
def test_a_row_that_no_table_has_is_refused_before_room_is_made(
        tmp_path: Path, dims: tuple[int, ...], dtype: int) -> None:
    size = 4 * int(np.prod(dims, dtype=object))
    prefix = checkpoint(tmp_path, {"t": entry(dtype, dims, size)}, data_bytes=size)
    with pytest.raises(SourceError, match="'t'.*expected at most|'t'.*impossible"), bounded_memory():
        CheckpointReader(prefix).value("t")


def test_strings_of_a_gigabyte_are_refused_before_they_are_read(tmp_path: Path) -> None:
    size = 1 << 30
    prefix = checkpoint(tmp_path, {"t": entry(STRING, (size,), size)}, data_bytes=size)
    with pytest.raises(SourceError, match="'t'.*expected at most|'t'.*would take"), bounded_memory():
        CheckpointReader(prefix).value("t")


@pytest.mark.parametrize("dims", [(-1,), (-1, -1), (1 << 62,), (1 << 31, 1 << 31), (1 << 40, 1 << 40)],
                         ids=str)
def test_a_shape_that_no_tensor_has_is_refused(tmp_path: Path, dims: tuple[int, ...]) -> None:
    bad = Entry(dtype=FLOAT)
    for size in dims:
        bad.shape.dim.add(size=size)
    with pytest.raises(SourceError, match="'t' has the impossible shape.*export again"):
        CheckpointReader(checkpoint(tmp_path, {"t": bad}))


@pytest.mark.parametrize("shards", [0, -1, 2, 1 << 30])
def test_a_wrong_number_of_data_files_is_refused(source: Path, shards: int) -> None:
    header = tensor_bundle_pb2.BundleHeaderProto(num_shards=shards).SerializeToString()
    edit_index(source / "variables/variables", lambda pairs: pairs.update({b"": header}))
    assert_refused(source, "variables.*(is said to lie in data file 0|data-00000-of-).*export again")


def test_an_index_larger_than_any_is_refused_before_it_is_read(source: Path) -> None:
    os.truncate(source / "variables/variables.index", 1 << 40)
    with bounded_memory(), pytest.raises(SourceError, match="index has 1,099,511,627,776 bytes: exp"):
        CheckpointReader(str(source / "variables/variables"))


def test_a_graph_larger_than_any_is_refused_before_it_is_read(source: Path) -> None:
    os.truncate(source / "saved_model.pb", 1 << 40)
    assert_refused(source, "saved_model.pb has 1,099,511,627,776 bytes; expected .* at most")


def test_a_key_of_a_megabyte_is_refused(tmp_path: Path) -> None:
    prefix = checkpoint(tmp_path, {"k" * (1 << 20): entry(FLOAT, (1,), 4)}, data_bytes=4)
    with pytest.raises(SourceError, match="a key has 1,048,576 bytes, and a name at most 262,144"):
        CheckpointReader(prefix)


def test_thousands_of_keys_are_read_and_a_missing_one_is_told_by_its_nearest(tmp_path: Path) -> None:
    names = {f"layer/{n}/{'x' * 50}": entry(FLOAT, (1,), 4) for n in range(5_000)}
    reader = CheckpointReader(checkpoint(tmp_path, names, data_bytes=4))
    assert len(reader.tensors) == 5_000
    for name in ("layer/none", "y" * 100_000, "layer/0/" + "x" * 49):
        with pytest.raises(SourceError, match="has no tensor"):
            reader.value(name)


def table(blocks: list[bytes], handles: list[tuple[bytes, int]]) -> bytes:
    """A table file: `blocks`, and an index that says (last key, number of block) for each handle."""
    content, places = bytearray(), []

    def append(block: bytes, kind: int = 0) -> bytes:
        place = varint(len(content)) + varint(len(block))
        body = block + bytes([kind])
        content.extend(body + struct.pack("<I", masked_crc(google_crc32c.value(body))))
        return place

    places = [append(block) for block in blocks]
    index = append(block_of([(key, places[number]) for key, number in handles]))
    footer = append(block_of([])) + index
    return bytes(content) + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def block_of(pairs: list[tuple[bytes, bytes]]) -> bytes:
    entries = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in pairs)
    return entries + struct.pack("<II", 0, 1)


def test_a_block_named_a_thousand_times_is_not_read_a_thousand_times() -> None:
    content = table([block_of([(b"a", b"x" * (1 << 20))])],
                    [(b"%05d" % n, 0) for n in range(1000)])
    with pytest.raises(SourceError, match="begins before the one in front of it ends"):
        read_table(content, "c.index")


def test_blocks_out_of_order_are_refused() -> None:
    blocks = [block_of([(b"a", b"")]), block_of([(b"b", b"")])]
    assert read_table(table(blocks, [(b"a", 0), (b"b", 1)]), "c.index") == [(b"a", b""), (b"b", b"")]
    with pytest.raises(SourceError, match="begins before the one in front"):
        read_table(table(blocks, [(b"a", 1), (b"b", 0)]), "c.index")


POSITIONS = [*range(0, 64), *range(64, 4096, 61), *range(-64, 0)]


@pytest.mark.parametrize("file", [INDEX, DATA])
def test_one_changed_byte_of_the_variables_is_refused_or_is_in_none_that_is_read(
        source: Path, tmp_path: Path, file: str) -> None:
    path = source / "variables" / file
    content = path.read_bytes()
    reader = CheckpointReader(str(source / "variables/variables"))
    values = {name: reader.value(name) for name in reader.tensors}
    for position in POSITIONS:
        if -len(content) <= position < len(content):
            damaged = bytearray(content)
            damaged[position] ^= 0x10
            path.write_bytes(damaged)
            try:
                reader = CheckpointReader(str(source / "variables/variables"))
                for name, value in values.items():
                    np.testing.assert_array_equal(reader.value(name), value)
            except SourceError as error:
                assert str(source) in str(error)
            else:
                assert file == INDEX  # its padding


@pytest.mark.parametrize("file", [INDEX, DATA, "../saved_model.pb"])
@pytest.mark.parametrize("keep", [0, 1, 7, 48, 0.01, 0.5, 0.9, 0.999, -1])
def test_a_file_cut_short_is_refused(source: Path, file: str, keep: float) -> None:
    path = source / "variables" / file
    content = path.read_bytes()
    path.write_bytes(content[:int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    assert_refused(source, "(variables|saved_model|MetaGraph).*again|no MetaGraph")
