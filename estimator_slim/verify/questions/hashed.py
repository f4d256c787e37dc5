"""Words whose hashes are certain numbers: of a table that lost most of its rows, words that have one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from estimator_slim.graph import NodeDef, attributes

Trained = Mapping[str, np.ndarray]

HASHES = frozenset(("StringToHashBucketFast", "StringToHashBucketStrong", "StringToHashBucket"))
_ENOUGH = 256
_AT_ONCE, _MOST = 1 << 17, 1 << 21  # words that are tried


def words_of(node: NodeDef, ids: np.ndarray) -> tuple[bytes, ...]:
    """Some 256 words that the hash `node` gives one of `ids`, or as many as two million have."""
    found: list[bytes] = []
    for words in _hashing(node, ids):
        found += words
        if len(found) >= _ENOUGH:
            break
    return tuple(found[:_ENOUGH])


def _hashing(node: NodeDef, ids: np.ndarray) -> Iterator[list[bytes]]:
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(
            config=tf.compat.v1.ConfigProto(device_count={"GPU": 0})) as session:
        copy = NodeDef(name="hash", op=node.op, input=["words"])
        for key, value in node.attr.items():
            if not key.startswith("_"):
                attributes.put(copy, key, value)
        words = tf.compat.v1.placeholder(tf.string, [None])
        tf.import_graph_def(tf.compat.v1.GraphDef(node=[copy]), {"words": words}, name="")
        for start in range(0, _MOST, _AT_ONCE):
            tried = [b"w%d" % number for number in range(start, start + _AT_ONCE)]
            hashes = session.run(graph.get_tensor_by_name("hash:0"), {words: tried})
            yield [tried[place] for place in np.flatnonzero(np.isin(hashes, ids))]
