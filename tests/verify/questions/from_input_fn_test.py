"""What the requests made of an input_fn promise: its rows, as each signature takes them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import OptionError
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.questions.input_fn import as_called_by, input_fn_requests
from estimator_slim.verify.request import Refusal, Request
from tests.support.by_hand import servable, v1
from tests.support.models.zoo import example, texts

WORDS = [["turn", "on", "light"], ["play", "music", ""], ["", "", ""], ["stop", "", ""]]
KEPT = [["turn", "on", "light"], ["play", "music"], [], ["stop"]]
LABELS = np.array([["on"], ["play"], ["stop"], ["on"]])
Made = Callable[..., list]


@pytest.fixture()
def made(exported: Callable[[str], str]) -> Made:
    """`made(name, input_fn)`: the requests to serving_default of a model, which answers them all."""
    def requests(name: str, input_fn: Callable, **options: Any) -> list[Request]:
        directory = exported(name)
        found = input_fn_requests(input_fn, read_servable(directory), **options)
        heard, = ask_here([Job(directory, found, grappler=False)])
        assert not [answer for answer in heard.answers if isinstance(answer, Refusal)]
        return [request for request in found if request.signature == "serving_default"]
    return requests


def batches(features: Any, labels: Any = LABELS, times: int = 1) -> Callable[[], tf.data.Dataset]:
    element = features if labels is None else (features, labels)
    return lambda: tf.data.Dataset.from_tensors(element).repeat(times)


def words_in(request: Request) -> list[list[str]]:
    serialized, = request.inputs.values()
    return [[word.decode() for word in
             tf.train.Example.FromString(one).features.feature["words"].bytes_list.value]
            for one in serialized]


def as_dense() -> tf.data.Dataset:
    return batches({"words": WORDS})()


def as_sparse() -> tf.data.Dataset:
    dense = tf.data.Dataset.from_tensors((WORDS, LABELS))
    return dense.map(lambda words, labels: ({"words": tf.sparse.from_dense(words)}, labels))


def as_ragged() -> tf.data.Dataset:
    dense = tf.data.Dataset.from_tensors((WORDS, LABELS))
    return dense.map(lambda words, labels: (
        {"words": tf.RaggedTensor.from_tensor(words, padding="")}, labels))


def as_tensors() -> tuple[dict, tf.Tensor]:
    return {"words": tf.constant(WORDS)}, tf.constant(LABELS)


def as_queue() -> Any:
    return v1.estimator.inputs.numpy_input_fn({"words": np.array(WORDS)}, LABELS, batch_size=4,
                                              num_epochs=1, shuffle=False)()


@pytest.mark.parametrize("input_fn", [as_dense, as_sparse, as_ragged, as_queue])
def test_features_of_every_form_become_examples(input_fn: Callable, made: Made) -> None:
    request, = made("vocabulary_file_oov_labels", input_fn)
    assert words_in(request) == KEPT
    assert request.origin == "input_fn"
    np.testing.assert_array_equal(request.labels, LABELS.astype(bytes))


def test_a_pair_of_tensors_is_run_as_often_as_asked(made: Made) -> None:
    requests = made("vocabulary_file_oov_labels", as_tensors, batches=3)
    assert [words_in(request) for request in requests] == [KEPT] * 3


def test_all_signatures_are_asked(exported: Callable[[str], str]) -> None:
    original = read_servable(exported("vocabulary_file_oov_labels"))
    found = {request.signature for request in input_fn_requests(as_dense, original)}
    assert found == set(original.graph.interface.served())


def test_an_infinite_dataset_ends_after_the_batches_asked_for(made: Made) -> None:
    assert len(made("dnn_v2_hash_mean", batches({"words": WORDS}, times=-1), batches=5)) == 5


def test_a_short_dataset_gives_what_it_has(made: Made) -> None:
    assert len(made("dnn_v2_hash_mean", batches({"words": WORDS}, times=2), batches=5)) == 2


@pytest.mark.parametrize("labels", [None, {"on": LABELS, "play": LABELS}, np.zeros((4, 3))],
                         ids=["none", "of several heads", "of several classes"])
def test_labels_that_are_not_one_for_each_row_are_left_out(labels: Any, made: Made) -> None:
    request, = made("dnn_v2_hash_mean", batches({"words": WORDS}, labels))
    assert request.labels is None
    assert words_in(request) == KEPT


def test_mode_and_params_are_given_to_those_who_take_them(made: Made) -> None:
    def input_fn(params: dict, mode: str = "train", batch: int = 1) -> tf.data.Dataset:
        assert (mode, params, batch) == ("eval", {}, 1)
        return as_dense()
    assert len(made("dnn_v2_hash_mean", input_fn)) == 1


def test_a_context_is_given_to_those_who_take_one(made: Made) -> None:
    def input_fn(input_context: Any) -> tf.data.Dataset:
        assert (input_context.num_input_pipelines, input_context.input_pipeline_id) == (1, 0)
        return as_dense()
    assert len(made("dnn_v2_hash_mean", input_fn)) == 1


@pytest.mark.parametrize(("width", "use_tpu"), [(None, False), (3, False), (3, True)])
def test_a_tpu_estimators_batch_size_of_an_evaluation_is_among_the_params(
        width: int | None, use_tpu: bool, made: Made, tmp_path: Path) -> None:
    tpu = v1.estimator.tpu
    estimator = tpu.TPUEstimator(
        lambda features, params: None, config=tpu.RunConfig(model_dir=str(tmp_path)),
        params={"width": width} if width else None, use_tpu=use_tpu, train_batch_size=16,
        eval_batch_size=8, predict_batch_size=24)

    def input_fn(params: dict, config: Any) -> tf.data.Dataset:
        assert params.get("width") == width
        return tf.data.Dataset.from_tensors({"words": ["turn"]}).repeat().batch(params["batch_size"])
    requests = made("dnn_v2_hash_mean", as_called_by(estimator, input_fn))
    assert {len(request.inputs["inputs"]) for request in requests} == {8}
    assert "batch_size" not in estimator.params


def test_what_a_partial_binds_stays_bound(made: Made) -> None:
    def input_fn(mode: str, params: dict) -> tf.data.Dataset:
        assert (mode, params) == ("train", {"batch": 4})
        return as_dense()
    bound = functools.partial(input_fn, mode="train", params={"batch": 4})
    assert len(made("dnn_v2_hash_mean", bound)) == 1


def test_tables_and_variables_of_the_input_fn_are_initialised(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("turn\non\n", encoding="utf-8")

    def input_fn() -> tf.data.Dataset:
        table = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
            str(path), tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE), "?")
        ids = tf.data.Dataset.from_tensors(tf.constant([[0, 1], [1, 5]], tf.int64))
        return ids.map(lambda one: {"words": table.lookup(one)})
    request, = made("dnn_v2_hash_mean", input_fn)
    assert words_in(request) == [["turn", "on"], ["on", "?"]]


def test_negative_ids_are_padding_and_other_numbers_are_not(made: Made) -> None:
    request, = made("identity_with_default", batches({"id": [[4, -1], [0, 7]]}, None))
    ids = [list(tf.train.Example.FromString(one).features.feature["id"].int64_list.value)
           for one in request.inputs["inputs"]]
    assert ids == [[4], [0, 7]]


def test_dense_and_sparse_features_go_into_one_example(made: Made) -> None:
    request, = made("wide_and_deep_v2", batches(
        {"words": WORDS, "age": [[1.0], [2.0], [3.0], [4.0]], "not served": [[1]] * 4}))
    assert tf.train.Example.FromString(request.inputs["inputs"][1]) == tf.train.Example.FromString(
        example(age=[2.0], words=["play", "music"]))


@pytest.mark.parametrize(("model", "features", "wanted"), [
    ("wide_and_deep_v2", {"words": WORDS}, "'age' of float32, 'words' of string"),
    ("dnn_v2_hash_mean", {"other": WORDS}, "'words' of string"),
    ("dnn_v2_hash_mean", {"words": [[1.5], [2.5], [0.5], [1.0]]}, "'words' of string"),
    ("raw_text_ragged_characters", {"text": WORDS}, "'text' of string"),
    ("placeholder_with_default", {"x": np.ones((4, 5))}, "'factor' of float32, 'x' of float32")])
def test_where_no_signature_takes_the_features_an_error_says_what_it_takes(
        model: str, features: dict, wanted: str, made: Made) -> None:
    with pytest.raises(OptionError, match="verify_input_fn: no signature takes its features") as e:
        made(model, batches(features))
    assert f"signature 'serving_default' takes {wanted}" in str(e.value)


def test_a_signature_that_takes_other_features_is_named_and_asked_other_requests(
        made: Made, caplog: Any) -> None:
    made("receiver_alternatives", batches(
        {"inputs": [example(words=["turn"])], "examples": [example(words=["turn"])]}, None))
    assert ("the features of verify_input_fn ('examples' of string, 'inputs' of string) are not what "
            "signature 'parsed:predict' takes ('words' of string), which is asked other requests instead"
            ) in caplog.text


@pytest.mark.parametrize("features", [
    lambda served: {served: [example(words=["turn", "on"])] * 3},
    lambda served: [example(words=["turn", "on"])] * 3,
    lambda served: {served: [[example(words=["turn", "on"])]] * 3}])
def test_serialized_examples_are_asked_as_they_are(features: Callable, made: Made) -> None:
    request, = made("dnn_v2_hash_mean", batches(features("inputs"), None))
    assert words_in(request) == [["turn", "on"]] * 3


def test_features_that_fit_give_no_warning(made: Made, caplog: Any) -> None:
    made("dnn_v2_hash_mean", as_sparse)
    assert not caplog.text


def test_raw_inputs_are_fed_by_their_keys_in_the_type_that_they_take(made: Made) -> None:
    request, = made("placeholder_with_default", batches(
        {"x": np.ones((4, 3)), "factor": np.float64(2.0), "other": np.ones(4)}))
    assert {key: (value.dtype, value.shape) for key, value in request.inputs.items()} == {
        "x": (np.float32, (4, 3)), "factor": (np.float32, ())}


def test_an_input_with_a_default_may_be_missing(made: Made) -> None:
    request, = made("placeholder_with_default", batches({"x": np.ones((4, 3)), "other": [1] * 4}))
    assert set(request.inputs) == {"x"}


@pytest.mark.parametrize("features", [{"text": ["turn on", "stop"]}, {"any name": ["turn on", "stop"]},
                                      {"text": [["turn on"], ["stop"]]}, ["turn on", "stop"]])
def test_an_only_input_takes_an_only_feature(features: Any, made: Made) -> None:
    request, = made("raw_text_ragged_characters", batches(features, None))
    np.testing.assert_array_equal(request.inputs["text"], texts("turn on", "stop"))


@pytest.mark.parametrize("input_fn", [as_dense, as_sparse, as_ragged])
def test_a_sparse_input_is_fed_by_features_of_every_form(input_fn: Callable, made: Made) -> None:
    request, = made("raw_sparse_input_and_output", input_fn)
    words = request.inputs["words"]
    np.testing.assert_array_equal(words.indices, [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [3, 0]])
    np.testing.assert_array_equal(words.values, texts("turn", "on", "light", "play", "music", "stop"))
    np.testing.assert_array_equal(words.dense_shape, [4, 3])


@pytest.mark.parametrize("input_fn", [as_sparse, as_ragged])
def test_a_dense_input_is_fed_by_features_of_every_form(input_fn: Callable, tmp_path: Path) -> None:
    def network() -> tuple[dict, dict]:
        words = v1.placeholder(tf.string, [None, None], "words")
        return {"words": words}, {"upper": tf.strings.upper(words)}
    original = read_servable(servable(tmp_path, network))
    request, = input_fn_requests(input_fn, original)
    np.testing.assert_array_equal(request.inputs["words"], np.array(WORDS).astype(bytes))


def test_a_signature_of_one_row_is_asked_row_by_row(made: Made) -> None:
    requests = made("batch_of_fixed_size", as_dense)
    assert [words_in(request) for request in requests] == [[row] for row in KEPT]
    assert [request.labels.item() for request in requests] == [b"on", b"play", b"stop", b"on"]


def raises() -> Any:
    raise KeyError("no such column")


def reads_no_file() -> tf.data.Dataset:
    return tf.data.TextLineDataset("/no/such/file").batch(2)


@pytest.mark.parametrize(("input_fn", "said"), [(raises, "KeyError: 'no such column'"),
                                                (reads_no_file, "NotFoundError: /no/such/file")])
def test_what_the_input_fn_raises_is_told_with_the_name_of_the_option(
        input_fn: Callable, said: str, exported: Callable[[str], str]) -> None:
    with pytest.raises(OptionError, match=f"verify_input_fn: .* raised {said}"):
        input_fn_requests(input_fn, read_servable(exported("dnn_v2_hash_mean")))


def test_the_callers_graph_is_not_touched(exported: Callable[[str], str]) -> None:
    original = read_servable(exported("dnn_v2_hash_mean"))
    with tf.Graph().as_default() as graph:
        input_fn_requests(as_dense, original)
        assert graph.get_operations() == []
