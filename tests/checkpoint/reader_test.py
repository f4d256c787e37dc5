"""What CheckpointReader promises, on checkpoints that TensorFlow itself wrote."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from estimator_slim.checkpoint.checksum import masked_crc
from estimator_slim.checkpoint.index import data_path, slice_key
from estimator_slim.checkpoint.reader import CheckpointReader
from estimator_slim.checkpoint.region import Region, parse_region
from estimator_slim.checkpoint.table import read_table, write_table
from estimator_slim.errors import SourceError

TABLE = np.arange(100 * 6, dtype=np.float32).reshape(100, 6)


def save(prefix: Path, **tensors: object) -> str:
    values = list(tensors.values())
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(value) for value in values],
    )
    return str(prefix)


def region_of(spec: str) -> Region:
    parsed = parse_region(spec)
    assert parsed is not None
    return parsed[1]


def save_slices(prefix: Path, *specs: str) -> str:
    """TABLE, saved in the slices which the specs name, each of them in a data file of its own."""
    shards = []
    for i, spec in enumerate(specs):
        region = region_of(f"100 6 {spec}")
        part = TABLE[region.inside(Region.whole(TABLE.shape))]
        shards.append(f"{prefix}_{i}")
        tf.raw_ops.SaveV2(
            prefix=shards[-1],
            tensor_names=["table"],
            shape_and_slices=[f"100 6 {spec}"],
            tensors=[tf.constant(part)],
        )
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=shards, destination_prefix=str(prefix))
    return str(prefix)


def edit_index(prefix: str, **changes: bytes | None) -> None:
    """Puts other values, or none, for some keys, with every checksum right."""
    path = Path(f"{prefix}.index")
    pairs = dict(read_table(path.read_bytes(), str(path)))
    for key, value in changes.items():
        pairs.pop(key.encode())
        if value is not None:
            pairs[key.encode()] = value
    path.write_bytes(write_table(sorted(pairs.items())))


NUMBERS = [
    tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.uint8, tf.int16, tf.uint16,
    tf.int32, tf.uint32, tf.int64, tf.uint64, tf.bool, tf.complex64, tf.complex128,
]  # fmt: skip


@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda dtype: dtype.name)
def test_every_numeric_dtype_reads_as_it_was_saved(tmp_path: Path, dtype: tf.DType) -> None:
    value = tf.cast(tf.constant([[0, 1, 2], [3, 4, 5]]), dtype)
    reader = CheckpointReader(save(tmp_path / "c", t=value))
    assert reader.tensors["t"].dtype == dtype
    assert reader.tensors["t"].shape == (2, 3)
    assert reader.value("t").dtype == dtype.as_numpy_dtype
    np.testing.assert_array_equal(reader.value("t"), value.numpy())
    np.testing.assert_array_equal(reader.rows("t", 1, 2), value.numpy()[1:2])


def test_scalars_empty_tensors_and_strings_keep_their_shape(tmp_path: Path) -> None:
    words = np.array([[b"", b"a\0b"], [b"x" * 300, "é".encode()]], object)
    values: dict[str, np.ndarray] = {
        "scalar": np.array(7),
        "none": np.zeros((0, 4), np.float32),
        "thin": np.zeros((3, 0), np.int8),
        "words": words,
        "word": np.array(b"only", object),
    }
    reader = CheckpointReader(save(tmp_path / "c", **values))
    for name, value in values.items():
        assert reader.value(name).shape == np.shape(value)
        np.testing.assert_array_equal(reader.value(name), value)
        reader.verify(name)
    np.testing.assert_array_equal(reader.rows("words", 1, 2), words[1:])
    assert reader.rows("none", 0, 0).shape == (0, 4)


def test_object_based_checkpoints_read_by_their_paths(tmp_path: Path) -> None:
    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(4,))])
    prefix = tf.train.Checkpoint(model=model).write(str(tmp_path / "c"))
    reader = CheckpointReader(prefix)
    key = "model/layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    np.testing.assert_array_equal(reader.value(key), model.layers[0].kernel.numpy())
    graph = reader.value("_CHECKPOINTABLE_OBJECT_GRAPH")
    assert graph.item() == tf.train.load_checkpoint(prefix).get_tensor(
        "_CHECKPOINTABLE_OBJECT_GRAPH"
    )
    assert set(reader.tensors) == set(tf.train.load_checkpoint(prefix).get_variable_to_dtype_map())


PARTITIONS = [
    ["-:-"],
    ["0,30:-", "30,70:-"],
    ["0,30:0,6", "30,70:0,6"],
    ["-:0,1", "-:1,3", "-:4,2"],
    ["0,64:0,4", "64,36:0,4", "-:4,2"],
]


@pytest.mark.parametrize("specs", PARTITIONS, ids=str)
def test_rows_of_regions_cross_the_slices_they_were_saved_in(
    tmp_path: Path, specs: list[str]
) -> None:
    reader = CheckpointReader(save_slices(tmp_path / "c", *specs))
    assert set(reader.tensors) == {"table"}
    np.testing.assert_array_equal(reader.value("table"), TABLE)
    np.testing.assert_array_equal(reader.rows("table", 25, 68), TABLE[25:68])
    region = Region((20, 2), (60, 3))
    np.testing.assert_array_equal(reader.value("table", region), TABLE[20:80, 2:5])
    np.testing.assert_array_equal(reader.rows("table", 5, 50, region), TABLE[25:70, 2:5])
    places = np.array([59, 0, 7, 59, 44])
    np.testing.assert_array_equal(reader.rows_at("table", places), TABLE[places])
    np.testing.assert_array_equal(reader.rows_at("table", places, region), TABLE[20 + places, 2:5])
    reader.verify("table")


@pytest.mark.parametrize("places", [[-1], [3, 100]], ids=str)
def test_places_that_are_no_rows_are_an_error(tmp_path: Path, places: list[int]) -> None:
    reader = CheckpointReader(save(tmp_path / "c", table=TABLE))
    assert reader.rows_at("table", np.array([], np.int64)).shape == (0, 6)
    with pytest.raises(ValueError, match=r"has rows 0\.\.100"):
        reader.rows_at("table", np.array(places))


def test_the_variables_of_a_partitioned_saver_read_by_their_slices(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        table = tf.compat.v1.get_variable(
            "table",
            initializer=tf.constant(TABLE),
            partitioner=tf.compat.v1.fixed_size_partitioner(3),
        )
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(sharded=True)
        prefix = saver.save(session, str(tmp_path / "c"))
        specs = [part._save_slice_info.spec for part in table]  # noqa: SLF001
    reader = CheckpointReader(prefix)
    parts = [reader.value("table", region_of(spec)) for spec in specs]
    assert len(parts) == 3
    np.testing.assert_array_equal(np.concatenate(parts), TABLE)


def test_slices_of_any_name_and_size_are_found(tmp_path: Path) -> None:
    sizes = [1, 63, 64, 100, 8191, 8192, 1 << 20]
    starts = np.cumsum([0, *sizes]).tolist()
    total, name = starts[-1], "a\xffb/é_0"
    for i, size in enumerate(sizes):
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / f"s{i}"),
            tensor_names=[name],
            shape_and_slices=[f"{total} {starts[i]},{size}"],
            tensors=[np.full(size, i, np.int8)],
        )
    shards = [str(tmp_path / f"s{i}") for i in range(len(sizes))]
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=shards, destination_prefix=f"{tmp_path}/c")
    value = CheckpointReader(f"{tmp_path}/c").value(name)
    np.testing.assert_array_equal(value, np.repeat(range(len(sizes)), sizes))


def test_a_piece_past_two_gigabytes_of_its_data_file_is_read(tmp_path: Path) -> None:
    prefix, far = save(tmp_path / "c", t=TABLE), (2 << 30) + 12345
    path = Path(data_path(prefix, 0, 1))
    content = path.read_bytes()
    entry = tensor_bundle_pb2.BundleEntryProto.FromString(
        dict(read_table(Path(f"{prefix}.index").read_bytes(), prefix))[b"t"]
    )
    entry.offset = far
    edit_index(prefix, t=entry.SerializeToString())
    with path.open("wb") as file:  # a sparse file
        file.seek(far)
        file.write(content)
    np.testing.assert_array_equal(CheckpointReader(prefix).value("t"), TABLE)
    np.testing.assert_array_equal(tf.train.load_checkpoint(prefix).get_tensor("t"), TABLE)


def test_reading_rows_takes_memory_for_the_rows_alone(tmp_path: Path) -> None:
    prefix = save(tmp_path / "c", t=np.zeros((200_000, 256), np.float32))  # 205 MB
    tracemalloc.start()
    try:
        reader = CheckpointReader(prefix)
        for start in range(0, 200_000, 40_000):
            assert reader.rows("t", start, start + 1000).shape == (1000, 256)
        reader.value("t", Region((0, 8), (20_000, 1)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("text", "shape", "region"),
    [
        ("1000 16 0,500:0,16", (1000, 16), Region((0, 0), (500, 16))),
        ("1000 16 500,500:-", (1000, 16), Region((500, 0), (500, 16))),
        ("7 3,4", (7,), Region((3,), (4,))),
        ("7 -", (7,), Region((0,), (7,))),
    ],
)
def test_a_slice_spec_parses(text: str, shape: tuple[int, ...], region: Region) -> None:
    assert parse_region(text) == (shape, region)


def test_an_empty_slice_spec_means_all() -> None:
    assert parse_region("") is None


@pytest.mark.parametrize(
    "text", ["7", "-", "7 3", "7 3,5", "7 8 -", "7 -:-", "x -", "7 -1,2", "7  -", "7 1,2,3", " -"]
)
def test_a_wrong_slice_spec_is_named_in_the_error(text: str) -> None:
    with pytest.raises(SourceError, match="expected the full shape") as caught:
        parse_region(text)
    assert repr(text) in str(caught.value)


def test_an_unknown_tensor_gets_the_nearest_name(tmp_path: Path) -> None:
    reader = CheckpointReader(save(tmp_path / "c", embeddings=TABLE))
    with pytest.raises(SourceError, match="no tensor 'embedings'.*nearest name is 'embeddings'"):
        reader.value("embedings")


def test_a_region_outside_the_tensor_is_an_error(tmp_path: Path) -> None:
    reader = CheckpointReader(save(tmp_path / "c", t=TABLE, scalar=1))
    for name, region in [
        ("t", Region((90, 0), (11, 6))),
        ("t", Region((0,), (5,))),
        ("scalar", Region((), ())),
    ]:
        with pytest.raises(SourceError, match=f"not inside tensor '{name}' of shape"):
            reader.value(name, region)
    with pytest.raises(ValueError, match=r"has rows 0\.\.10, not 5\.\.11"):
        reader.rows("t", 5, 11, Region((90, 0), (10, 6)))


def test_a_missing_checkpoint_is_an_error_that_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="c.index cannot be read.*Expected a TensorFlow V2"):
        CheckpointReader(str(tmp_path / "c"))


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    prefix = save_slices(tmp_path / "c", "0,30:-", "30,70:-")
    Path(data_path(prefix, 1, 2)).unlink()
    with pytest.raises(SourceError, match="c.data-00001-of-00002.*cannot be read"):
        CheckpointReader(prefix)


def test_a_short_data_file_is_named_with_the_bytes_expected(tmp_path: Path) -> None:
    prefix = save(tmp_path / "c", t=TABLE)
    reader, path = CheckpointReader(prefix), Path(data_path(prefix, 0, 1))
    path.write_bytes(path.read_bytes()[:1000])
    expected = "'t'.*c.data-00000-of-00001: expected at least 2400 bytes, got a file of 1000"
    with pytest.raises(SourceError, match=expected):
        CheckpointReader(prefix)
    with pytest.raises(SourceError, match="'t'.*expected 24 bytes at byte 2376, got 0"):
        reader.rows("t", 99, 100)


@pytest.mark.parametrize("value", [TABLE, np.array([b"one", b"two"], object)], ids=["num", "str"])
def test_a_changed_byte_of_data_is_found_by_its_checksum(tmp_path: Path, value: np.ndarray) -> None:
    prefix = save(tmp_path / "c", t=value)
    path = Path(data_path(prefix, 0, 1))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    reader = CheckpointReader(prefix)
    for read in (reader.verify, reader.value):
        with pytest.raises(SourceError, match="'t'.*do not match their checksum"):
            read("t")


def test_lengths_of_strings_past_the_end_are_an_error(tmp_path: Path) -> None:
    prefix = save(tmp_path / "c", t=np.array([b"one", b"two"], object))
    path = Path(data_path(prefix, 0, 1))
    path.write_bytes(b"\x7f" + path.read_bytes()[1:])
    with pytest.raises(SourceError, match="12 bytes do not make 2 strings"):
        CheckpointReader(prefix).value("t")


def bundle_entry(**fields: object) -> bytes:
    entry = tensor_bundle_pb2.BundleEntryProto(dtype=1, size=2400)
    entry.shape.CopyFrom(tf.TensorShape([100, 6]).as_proto())
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry.SerializeToString()


def header(**fields: object) -> bytes:
    return tensor_bundle_pb2.BundleHeaderProto(**fields).SerializeToString()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("", None, "it has no header"),
        ("", header(num_shards=1, endianness=1), "big-endian"),
        ("", header(num_shards=1, version={"min_consumer": 9}), "format 9 is newer than 1"),
        ("t", bundle_entry(shard_id=1), "data file 1 of 1"),
        ("t", bundle_entry(shard_id=-1), "data file -1 of 1"),
        ("t", bundle_entry(offset=-1), "at byte -1"),
        ("t", bundle_entry(offset=1), "expected at least 2401 bytes"),
        ("t", bundle_entry(size=2399), r"\[100, 6\] and dtype float32 cannot take 2399 bytes"),
        ("t", bundle_entry(dtype=7, size=599), "dtype string cannot take 599 bytes"),
        ("t", bundle_entry(dtype=77), "77"),
        ("t", b"\xff\xff", "pars"),
    ],
)
def test_an_impossible_index_is_an_error_that_says_why(
    tmp_path: Path, key: str, value: bytes | None, message: str
) -> None:
    prefix = save(tmp_path / "c", t=TABLE)
    edit_index(prefix, **{key: value})
    with pytest.raises(SourceError, match=message) as caught:
        CheckpointReader(prefix)
    assert str(tmp_path / "c") in str(caught.value)


def test_a_shape_too_large_for_any_file_is_an_error(tmp_path: Path) -> None:
    entry = tensor_bundle_pb2.BundleEntryProto(dtype=1)
    entry.shape.dim.add(size=1 << 40)
    entry.shape.dim.add(size=1 << 40)
    prefix = save(tmp_path / "c", t=TABLE)
    edit_index(prefix, t=entry.SerializeToString())
    with pytest.raises(SourceError, match="impossible shape"):
        CheckpointReader(prefix)


def test_a_variant_is_listed_and_refused_by_name(tmp_path: Path) -> None:
    prefix = save(tmp_path / "c", t=TABLE)
    edit_index(prefix, t=bundle_entry(dtype=21))
    with pytest.raises(SourceError, match="'t'.*variant, which no array can hold"):
        CheckpointReader(prefix).value("t")


def test_a_lost_slice_is_an_error(tmp_path: Path) -> None:
    prefix = save_slices(tmp_path / "c", "0,30:-", "30,70:-")
    path = Path(f"{prefix}.index")
    pairs = dict(read_table(path.read_bytes(), prefix))
    whole = tensor_bundle_pb2.BundleEntryProto.FromString(pairs[b"table"])

    lost = pairs.pop(slice_key("table", [(30, 70), (0, -1)]))
    path.write_bytes(write_table(sorted(pairs.items())))
    with pytest.raises(SourceError, match=r"slice \[\(30, 70\), \(0, -1\)\] of tensor 'table'"):
        CheckpointReader(prefix)

    del whole.slices[1]
    pairs[b"table"] = whole.SerializeToString()
    path.write_bytes(write_table(sorted(pairs.items())))
    reader = CheckpointReader(prefix)
    np.testing.assert_array_equal(reader.rows("table", 0, 30), TABLE[:30])
    with pytest.raises(SourceError, match="'table'.*hold 180 of the 600 elements"):
        reader.value("table")
    assert lost


def test_a_block_that_is_compressed_in_another_way_is_refused_as_such(tmp_path: Path) -> None:
    prefix = save(tmp_path / "c", t=TABLE)
    path = Path(f"{prefix}.index")
    content = bytearray(path.read_bytes())
    end = content.index(b"\0\0\0\0\1\0\0\0") + 8  # the restart points of the first block
    content[end] = 2  # as LevelDB's successors write Zlib
    crc = masked_crc(google_crc32c.value(bytes(content[: end + 1])))
    content[end + 1 : end + 5] = struct.pack("<I", crc)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"compressed in a way \(2\) that is neither none"):
        CheckpointReader(prefix)


def test_a_key_that_grows_without_bytes_of_its_own_is_refused() -> None:
    # 3 bytes an entry would otherwise stand for keys of 100 kB each.
    block = b"\0\xa0\x8d\x06\0" + b"k" * 100_000 + b"\xa0\x8d\x06\0\0" * 10_000
    block += struct.pack("<II", 0, 1)
    table = write_table([(b"a", b"")])
    head = block + b"\0"
    head += struct.pack("<I", masked_crc(google_crc32c.value(head)))
    handle = b"\0" + bytes([len(block) & 127 | 128, len(block) >> 7 & 127 | 128, len(block) >> 14])
    index = b"\0\1" + bytes([len(handle)]) + b"z" + handle + struct.pack("<II", 0, 1) + b"\0"
    tail = index + struct.pack("<I", masked_crc(google_crc32c.value(index)))
    where = len(head)
    place = bytes([where & 127 | 128, where >> 7 & 127 | 128, where >> 14, len(index) - 1])
    footer = (b"\0\0" + place).ljust(40, b"\0") + table[-8:]
    with pytest.raises(SourceError, match="impossible length"):
        read_table(head + tail + footer, "c.index")


def test_a_damaged_index_is_an_error_or_still_right(tmp_path: Path) -> None:
    prefix = save(tmp_path / "c", t=TABLE, u=np.int64(3), words=np.array([b"a", b"b"], object))
    path, rng, refused = Path(f"{prefix}.index"), random.Random(1), 0
    content = path.read_bytes()
    for case in range(400):
        damaged = bytearray(content)
        if case % 4 == 0:
            del damaged[rng.randrange(len(damaged)) :]
        for _ in range(case % 4):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            reader = CheckpointReader(prefix)
        except SourceError:
            refused += 1
            continue
        np.testing.assert_array_equal(reader.value("t"), TABLE)
        assert reader.value("u") == 3
        assert reader.value("words").tolist() == [b"a", b"b"]
    assert refused > 300


def test_a_damaged_entry_with_a_right_checksum_is_an_error_or_in_bounds(tmp_path: Path) -> None:
    prefix, rng = save(tmp_path / "c", t=TABLE, words=np.array([b"a"], object)), random.Random(2)
    path = Path(f"{prefix}.index")
    original = path.read_bytes()
    pairs = dict(read_table(original, prefix))
    for _ in range(400):
        key = rng.choice(sorted(pairs))
        value = bytearray(pairs[key])
        for _ in range(rng.randrange(1, 4)):
            value[rng.randrange(len(value))] = rng.randrange(256)
        path.write_bytes(original)
        edit_index(prefix, **{key.decode(): bytes(value)})
        tracemalloc.start()
        try:
            reader = CheckpointReader(prefix)
            for name in reader.tensors:
                reader.value(name)
        except SourceError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 8 << 20
