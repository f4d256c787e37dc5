"""Servables of one intent classifier side by side: size, accuracy, loading, memory, latency.

Each is loaded as TensorFlow Serving loads it. What loading takes is measured in a fresh process.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import intents_data
import numpy as np
import tensorflow as tf

LATENCY_EVERY = 6  # each sixth test sentence is timed


class Servable:
    """A SavedModel in a session of its own, as TensorFlow Serving runs it."""

    def __init__(self, path: str):
        self.path = path
        graph = tf.Graph()
        session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], path)
        predict = meta_graph.signature_def["predict"]
        self._intents = session.make_callable(
            predict.outputs["classes"].name, feed_list=[predict.inputs["examples"].name]
        )

    def intents(self, requests: list) -> list:
        """The most probable intent of each serialized tf.Example."""
        return [intent.decode() for intent in self._intents(requests)[:, 0]]

    def microseconds(self, request: bytes) -> float:
        start = time.perf_counter()
        self._intents([request])
        return (time.perf_counter() - start) * 1e6

    def megabytes(self) -> float:
        files = [os.path.join(folder, f) for folder, _, fs in os.walk(self.path) for f in fs]
        return sum(os.path.getsize(file) for file in files) / 1e6


def to_request(sentence: str) -> bytes:
    text = tf.train.Feature(bytes_list=tf.train.BytesList(value=[sentence.encode()]))
    return tf.train.Example(
        features=tf.train.Features(feature={"text": text})
    ).SerializeToString()


def compare(servables: dict, test: intents_data.Labelled) -> None:
    """Prints a line for each; the first is the original."""
    requests = [to_request(sentence) for sentence, _ in test]
    expected = np.array([intent for _, intent in test])
    answers = {name: np.array(one.intents(requests)) for name, one in servables.items()}
    times = latencies(list(servables.values()), requests[::LATENCY_EVERY])
    original = answers["original"]

    print(f"\n{len(test):,} sentences that training never saw\n\n{'':12}{'on disk':>10}{'':9}"
          f"{'accuracy':>10}{'same intent':>13}{'load':>10}{'memory':>10}{'latency':>10}")
    largest = servables["original"].megabytes()
    for (name, one), microseconds in zip(servables.items(), times):
        took = loading(one.path)
        print(f"{name:12}{one.megabytes():>7.1f} MB{part(one.megabytes(), largest):>9}"
              f"{np.mean(answers[name] == expected):>10.2%}{np.mean(answers[name] == original):>13.2%}"
              f"{took['milliseconds']:>7.0f} ms{took['megabytes']:>7.1f} MB{microseconds:>7.0f} µs",
              flush=True)


def part(size: float, of: float) -> str:
    return "" if size == of else f"  1/{of / size:.1f}"


def latencies(servables: list, requests: list) -> list:
    """Median microseconds a request; by turns, so that all meet the same noise."""
    for request in requests[:50]:  # warm up
        for servable in servables:
            servable.intents([request])
    rounds = [[servable.microseconds(request) for servable in servables] for request in requests]
    return [statistics.median(times) for times in zip(*rounds)]


LOADING = """
import json, sys, time
import tensorflow as tf

def memory():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))

with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    before, started = memory(), time.perf_counter()
    tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    print(json.dumps({"milliseconds": 1e3 * (time.perf_counter() - started),
                      "megabytes": (memory() - before) / 1e3}))
"""


def loading(path: str) -> dict:
    """What loading takes, in a process that has loaded nothing before."""
    done = subprocess.run([sys.executable, "-c", LOADING, path], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout.splitlines()[-1])
