"""Exports without an Estimator: the builder's init ops, assets, tags and signatures; frozen graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.old_servables.fixture import WORDS, examples, fixture, texts, words_file

_X = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -0.125]], np.float32)
_ASKED = ({"x": _X}, {"x": _X[:0]}, {"x": _X[:, :2]})
_TEXT = ({"text": texts("turn", "jazz", "cello")}, {"text": texts()})
_signatures = tf.saved_model.signature_def_utils
_info = tf.saved_model.utils.build_tensor_info


def build(directory: str, signatures: dict, trained: Any = (), *, as_text: bool = False,
          **options: Any) -> str:
    """Exports the default graph by SavedModelBuilder; `trained` is run on its fresh variables."""
    builder = tf.saved_model.builder.SavedModelBuilder(f"{directory}/export")
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer(),
                     tf.tables_initializer()])
        session.run(trained)
        builder.add_meta_graph_and_variables(
            session, ["serve"], signatures, clear_devices=True,
            assets_collection=tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS), **options)
    builder.save(as_text)
    return f"{directory}/export"


def _predicting(inputs: dict, outputs: dict) -> Any:
    return {"serving_default": _signatures.predict_signature_def(inputs, outputs)}


def _scores_of_words(path: str) -> tuple:
    text = tf.placeholder(tf.string, [None], "text")
    ids = tf.contrib.lookup.index_table_from_file(path, default_value=len(WORDS)).lookup(text)
    table = tf.get_variable("table", [11, 4], initializer=tf.random_normal_initializer())
    return text, tf.nn.softmax(tf.layers.dense(tf.nn.embedding_lookup(table, ids), 3))


@fixture(*_TEXT)
def legacy_init_op(directory: str) -> str:
    """Tables filled by legacy_init_op from a file that only the asset collection names; no main op."""
    text, scores = _scores_of_words(words_file(directory))
    return build(directory, _predicting({"text": text}, {"scores": scores}),
                 legacy_init_op=tf.tables_initializer())


@fixture(*_TEXT)
def main_op_as_text(directory: str) -> str:
    """saved_model.pbtxt; the main op fills the tables and sets a local variable."""
    text, scores = _scores_of_words(words_file(directory))
    scale = tf.get_variable("scale", initializer=tf.constant([2.0, 3.0, 4.0]),
                            collections=[tf.GraphKeys.LOCAL_VARIABLES], trainable=False)
    return build(directory, _predicting({"text": text}, {"scores": scores * scale}), as_text=True,
                 main_op=tf.group(tf.tables_initializer(), tf.local_variables_initializer()))


@fixture(*_ASKED)
def main_op_sets_variables(directory: str) -> str:
    """tf.saved_model.main_op.main_op() runs every initializer again, after the restore."""
    x = tf.placeholder(tf.float32, [None, 3], "x")
    kernel = tf.get_variable("kernel", initializer=tf.constant(np.eye(3, dtype=np.float32) * 2))
    resource = tf.get_variable("resource", initializer=tf.ones([3]), use_resource=True)
    main_op = tf.saved_model.main_op.main_op()
    trained = tf.group(tf.assign(kernel, -kernel), tf.assign(resource, resource * 5))
    return build(directory, _predicting({"x": x}, {"y": tf.matmul(x, kernel) + resource}),
                 trained, main_op=main_op)


@fixture({"inputs": examples({"x": [1.0, 2.0, 3.0]}, {"x": [-1.0, 0.0, 9.0]}), "x": _X},
         {"inputs": examples({"x": [1.0]}), "x": _X[:1]})
def classify_regress_predict(directory: str) -> str:
    """Signatures of all three methods, one of them fed behind the parser."""
    serialized = tf.placeholder(tf.string, name="tf_example")
    parsed = tf.parse_example(serialized, {"x": tf.FixedLenFeature([3], tf.float32)})
    x = tf.identity(parsed["x"], name="x")
    scores, best = tf.nn.top_k(tf.nn.softmax(tf.layers.dense(x, 5)), 3)
    names = tf.contrib.lookup.index_to_string_table_from_tensor(WORDS[:5])
    classes = names.lookup(tf.cast(best, tf.int64))
    inputs, score = _info(serialized), tf.squeeze(tf.layers.dense(x, 1), 1)
    return build(directory, {
        "classify": _signatures.build_signature_def(
            {"inputs": inputs}, {"classes": _info(classes), "scores": _info(scores)},
            "tensorflow/serving/classify"),
        "regress": _signatures.regression_signature_def(serialized, score),
        **_predicting({"x": x}, {"classes": classes, "scores": scores, "score": score})},
        legacy_init_op=tf.group(tf.tables_initializer(), name="legacy_init_op"))


@fixture(*_ASKED, {"x": _X, "keep": np.float32(0.5)})
def whole_training_graph(directory: str) -> str:
    """Loss, optimizer with its slots, summaries, a queue and an old saver, all exported along."""
    x = tf.placeholder_with_default(tf.train.batch([tf.random_uniform([3])], 2), [None, 3], "x")
    keep = tf.placeholder_with_default(1.0, [], "keep")
    hidden = tf.layers.batch_normalization(tf.layers.dense(x, 6, tf.nn.relu), training=False)
    scores = tf.layers.dense(hidden * keep, 3)
    tf.summary.histogram("scores", scores)
    loss = tf.losses.mean_squared_error(tf.zeros_like(scores), scores)
    averages = tf.train.ExponentialMovingAverage(0.9)
    train = tf.train.AdamOptimizer().minimize(loss, tf.train.get_or_create_global_step())
    with tf.control_dependencies([train]):
        averages.apply(tf.trainable_variables())
    tf.train.Saver()
    return build(directory, _predicting({"x": x, "keep": keep}, {"scores": scores}))


@fixture(*_ASKED)
def averages_restored(directory: str) -> str:
    """A saver of its own, which restores each variable from the key of its moving average."""
    x = tf.placeholder(tf.float32, [None, 3], "x")
    scores = tf.layers.dense(x, 4, bias_initializer=tf.ones_initializer())
    averages = tf.train.ExponentialMovingAverage(0.5)
    trained = averages.apply(tf.trainable_variables())
    saver = tf.train.Saver(averages.variables_to_restore(), sharded=True)
    return build(directory, _predicting({"x": x}, {"scores": scores}), trained, saver=saver)


@fixture({"row": np.array([1, 0], np.int64)}, {"row": np.array([2], np.int64)})
def variables_of_many_types(directory: str) -> str:
    """Words, halves, doubles, bytes, truth values, complex numbers, a scalar, nothing at all."""
    row = tf.placeholder(tf.int64, [None], "row")
    outputs = {}
    for name, values in {"words": [b"turn", b"on"], "half": [0.5, 2], "double": [0.1, 3],
                         "int8": [-4, 5], "uint16": [6, 70], "truth": [True, False],
                         "complex": [1 + 2j, 3]}.items():
        dtype = {"words": tf.string, "truth": tf.bool, "complex": tf.complex64}.get(name)
        constant = tf.constant(values, dtype or tf.as_dtype(name))
        outputs[name] = tf.gather(tf.get_variable(name, initializer=constant), row)
    outputs["half"] = tf.cast(outputs["half"], tf.float32)
    outputs["complex"] = tf.stack([tf.real(outputs["complex"]), tf.imag(outputs["complex"])], 1)
    nothing = tf.get_variable("nothing", [0, 3], use_resource=True)
    outputs["nothing"] = tf.concat([nothing, tf.fill([1, 3], tf.get_variable("scalar", []))], 0)
    return build(directory, _predicting({"row": row}, outputs))


@fixture(*_ASKED, tags=("serve", "gpu"))
def several_tags(directory: str) -> str:
    """Two MetaGraphs over one checkpoint: {serve} answers scores, {serve, gpu} something else."""
    x = tf.placeholder(tf.float32, [None, 3], "x")
    scores = tf.layers.dense(x, 4, bias_initializer=tf.ones_initializer())
    builder = tf.saved_model.builder.SavedModelBuilder(f"{directory}/export")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        builder.add_meta_graph_and_variables(session, ["serve"], _predicting({"x": x}, {"y": scores}))
        doubled = _predicting({"x": x}, {"y": scores * 2.0})
        builder.add_meta_graph(["serve", "gpu"], doubled)
    builder.save()
    return f"{directory}/export"


@fixture(*_ASKED)
def frozen(directory: str) -> str:
    """Variables turned into constants before the export, which so has none."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.set_random_seed(7)
        x = tf.placeholder(tf.float32, [None, 3], "x")
        tf.nn.softmax(tf.layers.dense(tf.layers.dense(x, 64, tf.nn.tanh), 4), name="scores")
        session.run(tf.global_variables_initializer())
        constants = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["scores"])
    x, scores = tf.import_graph_def(constants, name="", return_elements=["x:0", "scores:0"])
    return build(directory, _predicting({"x": x}, {"scores": scores}))
