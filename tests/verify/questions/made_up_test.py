"""What made-up requests promise: the original answers them, and they have what its graph knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.errors import SourceError
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.questions.cases import TYPICAL
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.request import Answer, Refusal, Request
from tests.support.by_hand import servable, v1, variable


def asked(directory: str, **options: Any) -> list[tuple[Request, Answer]]:
    """Every made-up request with the servable's answer."""
    requests = made_up_requests(read_servable(directory), **options)
    heard, = ask_here([Job(directory, requests, grappler=False)])
    assert heard.refused is None
    return list(zip(requests, heard.answers))


def made_up(directory: str, origin: str = TYPICAL.name, signature: str = "serving_default") -> Any:
    """The first request of a case: input key → value."""
    return next(request.inputs for request in made_up_requests(read_servable(directory))
                if (request.origin, request.signature) == (origin, signature))


def of_examples(serialized: np.ndarray, key: str) -> list[list]:
    """The values of feature `key` in each Example."""
    features = [tf.train.Example.FromString(one).features.feature for one in serialized]
    return [list(getattr(f[key], f[key].WhichOneof("kind")).value) if key in f else []
            for f in features]


def share(values: Sequence, known: Any) -> float:
    return sum(value in known for value in values) / len(values)


def flat(rows: Sequence[Sequence]) -> list:
    return [value for row in rows for value in row]


def test_the_same_seed_makes_the_same_requests_and_another_seed_others(
        exported: Callable[[str], str]) -> None:
    original = read_servable(exported("wide_and_deep_v2"))
    once, again, other = (made_up_requests(original, seed=seed) for seed in (3, 3, 4))
    assert repr(once) == repr(again)
    assert repr(once) != repr(other)


def test_words_come_from_the_vocabulary_file_and_answers_differ(
        exported: Callable[[str], str]) -> None:
    directory = exported("vocabulary_file_oov_labels")
    known = Path(directory, "assets", "words.txt").read_bytes().split()
    words = flat(of_examples(made_up(directory)["inputs"], "words"))
    assert share(words, known) >= 0.5
    assert set(known) <= set(words)
    answer = next(a for r, a in asked(directory) if r.origin == TYPICAL.name)
    assert len(np.unique(answer["scores"].values, axis=0)) > TYPICAL.rows // 2


@pytest.mark.parametrize(("name", "known"), [
    ("raw_text_key_value_tables", {b"turn", b"on", b"music"}),
    ("raw_text_tables_from_files", {b"turn", b"on", b"music", b"stop"})])
def test_sentences_are_of_words_that_a_table_knows(name: str, known: set,
                                                   exported: Callable[[str], str]) -> None:
    words = b" ".join(made_up(exported(name))["text"]).split()
    assert share(words, known) >= 0.5
    assert known <= set(words)


def test_words_come_from_a_vocabulary_in_the_graph(exported: Callable[[str], str]) -> None:
    words = flat(of_examples(made_up(exported("vocabulary_list_without_oov"))["inputs"], "words"))
    assert share(words, {b"turn", b"on", b"off", b"light", b"music", b"play"}) >= 0.5


@pytest.mark.parametrize(("name", "limit"), [("identity_refuses_ids_out_of_range", 6),
                                             ("identity_with_default", 3000)])
def test_ids_are_such_as_the_column_has(name: str, limit: int,
                                        exported: Callable[[str], str]) -> None:
    ids = flat(of_examples(made_up(exported(name))["inputs"], "id"))
    assert set(ids) <= set(range(limit))
    assert max(ids) >= limit // 2


def test_fed_ids_reach_all_over_the_table(exported: Callable[[str], str]) -> None:
    ids = made_up(exported("tied_table_large"))["ids"]
    assert ids.dtype == np.int64
    assert 0 <= ids.min() < 1000
    assert 2000 < ids.max() < 3000


def test_examples_without_features_still_have_what_the_parser_requires(
        exported: Callable[[str], str]) -> None:
    directory = exported("linear_classifier_v2_crossed")
    bare = made_up(directory, "missing features")["inputs"]
    assert flat(of_examples(bare, "words")) == []
    assert all(len(ages) == 1 for ages in of_examples(bare, "age"))
    answer = next(a for r, a in asked(directory) if r.origin == "missing features")
    assert not isinstance(answer, Refusal)


def test_there_is_a_request_for_every_edge(exported: Callable[[str], str]) -> None:
    directory = exported("indicators_crossed_bucketized_numeric")
    made = {r.origin: r.inputs["inputs"] for r in made_up_requests(read_servable(directory))
            if r.signature == "serving_default"}
    words = {origin: of_examples(examples, "words") for origin, examples in made.items()}
    assert len(made["a batch of 1"]) == 1
    assert len(made["the empty batch"]) == 0
    assert set(flat(words["empty strings"])) == {b""}
    assert not set(flat(words["unseen words"])) & set(flat(words["a batch of 1"]))
    assert all(len(set(row)) == 1 for row in words["repeated values"])
    assert min(map(len, words["long inputs"])) >= 100
    assert {len(row) > 0 for row in words["some features missing"]} == {True, False}
    assert np.max(np.abs(flat(of_examples(made["large numbers"], "size")))) > 1e5


def test_ids_out_of_range_are_asked_on_both_sides(exported: Callable[[str], str]) -> None:
    directory = exported("identity_with_default")
    negative, beyond = (flat(of_examples(made_up(directory, origin)["inputs"], "id"))
                        for origin in ("ids below zero", "ids past the end"))
    assert max(negative) < 0
    assert min(beyond) >= 3000


def test_an_input_with_a_default_is_left_out_once(exported: Callable[[str], str]) -> None:
    found = {r.origin: (set(r.inputs), a) for r, a in asked(exported("placeholder_with_default"))}
    assert found[TYPICAL.name][0] == {"x", "factor"}
    assert found["missing features"][0] == set()
    assert not isinstance(found["missing features"][1], Refusal)


def test_a_signature_of_one_row_is_asked_often(exported: Callable[[str], str]) -> None:
    requests = made_up_requests(read_servable(exported("batch_of_fixed_size")))
    typical = [r.inputs["inputs"] for r in requests
               if (r.origin, r.signature) == (TYPICAL.name, "serving_default")]
    assert len(typical) == TYPICAL.rows
    assert {len(examples) for examples in typical} == {1}


def images_decoded(decode: Callable) -> Callable[[], tuple[dict, dict]]:
    def network() -> tuple[dict, dict]:
        data = v1.placeholder(tf.string, [None], "data")
        images = tf.map_fn(lambda one: tf.image.resize(decode(one, channels=3), [4, 4]), data,
                           fn_output_signature=tf.float32)
        kernel = variable("kernel", np.ones((3, 2), np.float32))
        return {"data": data}, {"value": tf.reduce_mean(images, [1, 2]) @ kernel}
    return network


@pytest.mark.parametrize("decode", [tf.io.decode_jpeg, tf.io.decode_png], ids=["jpeg", "png"])
def test_a_receiver_of_encoded_images_gets_images(decode: Callable, tmp_path: Path) -> None:
    answers = {r.origin: a for r, a in asked(servable(tmp_path, images_decoded(decode)))}
    assert len(np.unique(answers[TYPICAL.name]["value"].values)) > TYPICAL.rows // 2


def parsed_by_all() -> tuple[dict, dict]:
    """Sparse, ragged, dense and padded features, with and without defaults, and nested numbers."""
    serialized = v1.placeholder(tf.string, [None], "examples")
    features = tf.io.parse_example(serialized, {
        "sparse": tf.io.VarLenFeature(tf.string), "ragged": tf.io.RaggedFeature(tf.int64),
        "pair": tf.io.FixedLenFeature([2], tf.float32), "text": tf.io.FixedLenFeature([], tf.string),
        "given": tf.io.FixedLenFeature([2, 2], tf.int64, [[1, 2], [3, 4]]),
        "steps": tf.io.FixedLenSequenceFeature([3], tf.float32, allow_missing=True)})
    table = variable("table", np.arange(400, dtype=np.float32).reshape(100, 4))
    hashed = tf.strings.to_hash_bucket_fast(features["sparse"].values, 7)
    return {"examples": serialized}, {
        "rows": tf.reduce_sum(tf.gather(table, features["ragged"]), axis=1),
        "pair": features["pair"], "number": tf.strings.to_number(features["text"]),
        "given": features["given"], "steps": tf.reduce_sum(features["steps"], [1, 2]),
        "count": tf.reduce_sum(hashed)}


def test_every_kind_of_feature_is_filled_in(tmp_path: Path) -> None:
    answers = {r.origin: a for r, a in asked(servable(tmp_path, parsed_by_all))}
    for output in ("rows", "pair", "number", "given", "steps"):
        assert len(np.unique(answers[TYPICAL.name][output].values)) > 1, output
    assert not isinstance(answers["missing features"], Refusal)
    np.testing.assert_array_equal(answers["missing features"]["given"].values[0], [[1, 2], [3, 4]])
    assert not answers["missing features"]["rows"].values.any()


def parsed_as_before_2_0() -> tuple[dict, dict]:
    serialized = v1.placeholder(tf.string, [None], "examples")
    parsed = tf.raw_ops.ParseExample(
        serialized=serialized, names=tf.constant([], tf.string), sparse_keys=["words"],
        dense_keys=["age"], dense_defaults=[tf.constant([], tf.float32)],
        sparse_types=[tf.string], dense_shapes=[[1]])
    ids = tf.strings.to_hash_bucket_fast(parsed.sparse_values[0], 50)
    sums = tf.math.unsorted_segment_sum(ids, parsed.sparse_indices[0][:, 0],
                                        tf.size(serialized))
    return {"examples": serialized}, {"age": parsed.dense_values[0], "sums": sums}


def test_the_parser_of_tensorflow_1_is_understood(tmp_path: Path) -> None:
    answers = {r.origin: a for r, a in asked(servable(tmp_path, parsed_as_before_2_0))}
    assert len(np.unique(answers[TYPICAL.name]["age"].values)) > 1
    assert len(np.unique(answers[TYPICAL.name]["sums"].values)) > 1
    assert not isinstance(answers["missing features"], Refusal)


def lines_decoded() -> tuple[dict, dict]:
    lines = v1.placeholder(tf.string, [None], "lines")
    age, work = tf.io.decode_csv(lines, [[0.0], ["none"]])
    known = v1.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
        ["baker", "driver", "nurse"], tf.constant([1, 2, 3], tf.int64)), 0)
    return {"lines": lines}, {"age": age, "work": known.lookup(work)}


def test_a_receiver_of_comma_separated_values_gets_lines_of_its_columns(tmp_path: Path) -> None:
    answers = {r.origin: a for r, a in asked(servable(tmp_path, lines_decoded))}
    assert len(np.unique(answers[TYPICAL.name]["age"].values)) > TYPICAL.rows // 2
    assert np.mean(answers[TYPICAL.name]["work"].values > 0) >= 0.5
    assert not isinstance(answers["empty strings"], Refusal)


def words_counted() -> tuple[dict, dict]:
    words = v1.placeholder(tf.string, [None], "words")
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1, name="counts")
    v1.add_to_collection("fill", table.insert(["piano", "cello"], tf.constant([1, 2], tf.int64)))
    return {"words": words}, {"count": table.lookup(words)}


def filled() -> Any:
    v1.get_default_session().run(v1.get_collection("fill"))
    return v1.train.Saver()


def test_the_keys_of_a_table_in_the_checkpoint_are_asked_for(tmp_path: Path) -> None:
    directory = servable(tmp_path, words_counted, saver=filled)
    assert share(made_up(directory)["words"].tolist(), {b"piano", b"cello"}) >= 0.5


def test_a_damaged_checkpoint_with_keys_is_told_by_its_file(tmp_path: Path) -> None:
    directory = servable(tmp_path, words_counted, saver=filled)
    data = Path(directory, "variables/variables.data-00000-of-00001")
    for damaged in (data.read_bytes().replace(b"piano", b"pianx"), b""):
        data.write_bytes(damaged)
        with pytest.raises(SourceError, match=re.escape(str(data))):
            made_up(directory)


def one_example_at_a_time() -> tuple[dict, dict]:
    serialized = v1.placeholder(tf.string, [], "example")
    parsed = tf.io.parse_single_example(serialized, {"x": tf.io.FixedLenFeature([3], tf.float32),
                                                     "n": tf.io.VarLenFeature(tf.int64)})
    return {"example": serialized}, {"x": parsed["x"], "n": tf.size(parsed["n"].values)}


def test_a_signature_of_one_example_is_asked_often(tmp_path: Path) -> None:
    typical = [a for r, a in asked(servable(tmp_path, one_example_at_a_time))
               if r.origin == TYPICAL.name]
    assert len(typical) == TYPICAL.rows
    assert len({answer["x"].values.tobytes() for answer in typical}) == TYPICAL.rows


def test_numbers_are_spread_over_the_buckets_that_they_fall_in(
        exported: Callable[[str], str]) -> None:
    directory = exported("linear_classifier_v2_crossed")  # the boundaries are 5, 20 and 60
    ages = flat(of_examples(made_up(directory)["inputs"], "age"))
    assert set(np.digitize(ages, [5, 20, 60])) == {0, 1, 2, 3}


def test_what_has_but_few_values_is_asked_each_once(tmp_path: Path) -> None:
    module = tf.Module()
    module.table = tf.Variable(np.ones((9, 4), np.float32))
    none = tf.function(lambda: {"rows": module.table.read_value()}, input_signature=[])
    switch = tf.function(lambda switch: {"off": ~switch},
                         input_signature=[tf.TensorSpec([], tf.bool, "switch")])
    tf.saved_model.save(module, str(tmp_path), signatures={"none": none, "switch": switch})
    requests = made_up_requests(read_servable(str(tmp_path)))
    assert [(r.signature, r.inputs) for r in requests if r.signature == "none"] == [("none", {})]
    assert sorted(bool(r.inputs["switch"]) for r in requests if r.signature == "switch") == [False, True]
