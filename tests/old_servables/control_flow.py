"""Branches, loops and recurrent cells, as TensorFlow 1.x wrote them: Switch, Merge, Enter, Exit."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.contrib import crf, rnn, seq2seq

from tests.old_servables.fixture import WORDS, fixture, simple_save

_X = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -0.125]], np.float32)
_IDS = np.array([[1, 2, 3, 0], [40, 63, 0, 0]])
_LENGTHS = np.array([3, 2])
_ASKED = ({"ids": _IDS, "lengths": _LENGTHS}, {"ids": _IDS[:1, :2], "lengths": np.array([1])},
          {"ids": np.array([[64]]), "lengths": np.array([1])})


def _normal(name: str, shape: list) -> Any:
    return tf.get_variable(name, shape, initializer=tf.random_normal_initializer(seed=3))


@fixture({"x": _X}, {"x": -_X}, {"x": _X[:0]}, {"x": _X * 1e6})
def branches_and_loops(directory: str) -> str:
    """tf.cond, tf.case, tf.while_loop and tf.map_fn over variables, and an Assert."""
    x = tf.placeholder(tf.float32, [None, 3], "x")
    table, kernel = _normal("table", [64, 4]), _normal("kernel", [3, 3])
    small = tf.assert_less(tf.abs(x), 1e5, message="too large")
    with tf.control_dependencies([small]):
        positive = tf.reduce_sum(x) > 0.0
    chosen = tf.cond(positive, lambda: tf.matmul(x, kernel), lambda: x - 2.0 * kernel[0])
    rows = tf.case([(tf.size(x) > 6, lambda: tf.gather(table, [1, 2])),
                    (positive, lambda: tf.gather(table, [63]))], lambda: tf.gather(table, [7]))
    _, power = tf.while_loop(lambda i, _: i < 4,
                             lambda i, v: (i + 1, tf.matmul(v, kernel) / (1.0 + tf.norm(v))),
                             [tf.constant(0), x])
    each = tf.map_fn(lambda row: tf.reduce_sum(tf.nn.softmax(row) * kernel[1]), x)
    return simple_save(directory, {"x": x},
                       {"chosen": chosen, "rows": rows, "power": power, "each": each})


def _embedded() -> tuple:
    ids = tf.placeholder(tf.int64, [None, None], "ids")
    lengths = tf.placeholder(tf.int64, [None], "lengths")
    table = tf.get_variable("table", [64, 4], initializer=tf.random_normal_initializer(seed=3))
    return {"ids": ids, "lengths": lengths}, tf.nn.embedding_lookup(table, ids), lengths


@fixture(*_ASKED)
def dynamic_rnn_lstm(directory: str) -> str:
    """A peephole LSTM there and back, dropout at 1.0, an attention over its outputs."""
    inputs, embedded, lengths = _embedded()
    forward = tf.nn.rnn_cell.DropoutWrapper(rnn.LSTMCell(4, use_peepholes=True), 1.0, 1.0)
    (ahead, back), _ = tf.nn.bidirectional_dynamic_rnn(
        forward, rnn.BasicLSTMCell(4), embedded, lengths, dtype=tf.float32)
    outputs = tf.concat([ahead, back], 2)
    weight = tf.nn.softmax(tf.squeeze(tf.layers.dense(outputs, 1), 2))
    summed = tf.reduce_sum(outputs * tf.expand_dims(weight, 2), 1)
    return simple_save(directory, inputs, {"scores": tf.nn.softmax(tf.layers.dense(summed, 3))})


@fixture(*_ASKED)
def dynamic_rnn_gru(directory: str) -> str:
    """Two layers of GRU cells, and the fused LSTM block, time first."""
    inputs, embedded, lengths = _embedded()
    _, state = tf.nn.dynamic_rnn(rnn.MultiRNNCell([rnn.GRUCell(4), rnn.GRUBlockCellV2(3)]), embedded,
                                 lengths, dtype=tf.float32)
    _, (_, hidden) = rnn.LSTMBlockFusedCell(4)(tf.transpose(embedded, [1, 0, 2]), dtype=tf.float32,
                                               sequence_length=tf.cast(lengths, tf.int32))
    return simple_save(directory, inputs, {"gru": state[1], "lstm": hidden,
                                           "scores": tf.layers.dense(tf.concat([*state, hidden], 1), 3)})


@fixture({"ids": _IDS, "lengths": _LENGTHS}, {"ids": _IDS[:1], "lengths": np.array([4])})
def tagger_crf(directory: str) -> str:
    """Slot tags decoded by a conditional random field."""
    inputs, embedded, lengths = _embedded()
    scores = tf.layers.dense(tf.layers.conv1d(embedded, 6, 3, padding="same"), 5)
    tags, best = crf.crf_decode(scores, _normal("transitions", [5, 5]), lengths)
    names = tf.contrib.lookup.index_to_string_table_from_tensor(WORDS[:5])
    return simple_save(directory, inputs,
                       {"tags": names.lookup(tf.cast(tags, tf.int64)), "best": best},
                       legacy_init_op=tf.tables_initializer())


@fixture(*_ASKED)
def attention_greedy(directory: str) -> str:
    """An encoder, and a decoder with attention that goes on with its own best word."""
    inputs, embedded, lengths = _embedded()
    encoded, state = tf.nn.dynamic_rnn(rnn.GRUCell(4), embedded, lengths, dtype=tf.float32)
    attention = seq2seq.BahdanauAttention(4, encoded, lengths, normalize=True)
    cell = seq2seq.AttentionWrapper(rnn.GRUCell(4), attention, attention_layer_size=3)
    count = tf.shape(embedded)[0]
    helper = seq2seq.GreedyEmbeddingHelper(_normal("words", [64, 4]), tf.fill([count], 1), 2)
    first = cell.zero_state(count, tf.float32).clone(cell_state=state)
    decoder = seq2seq.BasicDecoder(cell, helper, first, tf.layers.Dense(8, name="best"))
    outputs, _, _ = seq2seq.dynamic_decode(decoder, impute_finished=True, maximum_iterations=4)
    return simple_save(directory, inputs, {"ids": outputs.sample_id, "logits": outputs.rnn_output})


@fixture({"start": np.array([1, 2], np.int32)})
def beam_search(directory: str) -> str:
    """A decoder whose op GatherTree later TensorFlows do not have."""
    start = tf.placeholder(tf.int32, [None], "start")
    cell = rnn.GRUCell(4)
    state = seq2seq.tile_batch(tf.zeros([tf.size(start), 4]), 2)
    decoder = seq2seq.BeamSearchDecoder(cell, _normal("table", [8, 4]), start, 0, state, 2,
                                        tf.layers.Dense(8))
    outputs, _, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=3)
    return simple_save(directory, {"start": start}, {"ids": outputs.predicted_ids})
