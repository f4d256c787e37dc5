"""Latency of every model of the test suite, original against slim: a slim servable is not to be slower.

Two sessions side by side ask the first request that the original takes, in turns; the ratio is that of
the medians. What is close to 1 is measured again in new sessions, and the median of those ratios counts:
where a session's memory lies makes some percent. The models are tiny, so what is compared is mostly the
number of operations that run.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterable, Mapping

import tensorflow as tf
from markdown_table import show

from estimator_slim import optimize_saved_model
from estimator_slim.graph import names
from estimator_slim.options import DEFAULT

LISTS = {"lossless": DEFAULT.replace(" quantize_weights", ""), "8 bits": DEFAULT}
ASKS, AGAIN, CLOSE = 400, 5, 0.98
tf1 = tf.compat.v1


def run(options: argparse.Namespace) -> None:
    from tests.support.models import MODELS

    rows = []
    for name, model in MODELS.items():
        folder = os.path.join(options.work, "zoo", name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        source = tf.compat.as_str_any(model.build(folder))
        row: list[object] = [name]
        for label, transforms in LISTS.items():
            slim = os.path.join(folder, label.replace(" ", "_"))
            optimize_saved_model(source, slim, transforms, verify="off")
            row.append(settled(source, slim, model.requests))
        rows.append(row)
        shutil.rmtree(folder)
    slower = [row for row in rows if max(row[1:]) > 1]
    summary = ["median of all models", *(statistics.median(r[i] for r in rows) for i in (1, 2))]
    show(f"p50 of {len(rows)} models as a ratio to the original: the median, and each above 1",
         ["model", *LISTS], [summary, *sorted(slower, key=lambda row: -max(row[1:]))])


def settled(original: str, slim: str, requests: tuple) -> float:
    once = ratio(original, slim, requests)
    return once if once < CLOSE else statistics.median(
        ratio(original, slim, requests) for _ in range(AGAIN))


def ratio(original: str, slim: str, requests: tuple) -> float:
    """Median time of an answer by `slim` over that of an answer by `original`."""
    asks = [asker(directory, requests) for directory in (original, slim)]
    times: list[list[float]] = [[], []]
    for _ in range(ASKS):
        for ask, samples in zip(asks, times):
            started = time.perf_counter()
            ask()
            samples.append(time.perf_counter() - started)
    return statistics.median(times[1]) / statistics.median(times[0])


def asker(directory: str, requests: tuple) -> Callable[[], object]:
    """A function that puts one request, the first that it answers, to the largest signature."""
    config = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    session = tf1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        signatures = tf1.saved_model.load(session, ["serve"], directory).signature_def
    served = [s for key, s in sorted(signatures.items()) if not key.startswith("__saved_model")]
    for signature in sorted(served, key=lambda s: -len(s.outputs)):
        keys = sorted(signature.inputs)
        ask = session.make_callable(_tensors(signature.outputs.values()),
                                    _tensors(signature.inputs[k] for k in keys))
        for request in requests:
            try:
                values = [part for k in keys
                          for part in _parts(request[k] if isinstance(request, Mapping) else request)]
                ask(*values)
            except (tf.errors.OpError, KeyError, ValueError, TypeError):
                continue
            return functools.partial(ask, *values)
    raise ValueError(f"{directory} answers none of the requests")


def _tensors(infos: Iterable) -> list[str]:
    return [name if ":" in name else f"{name}:0"
            for info in infos for name in names.of_tensor_info(info)]


def _parts(value: object) -> tuple:
    """What is fed for one input: a sparse one is its indices, values and shape."""
    return tuple(value) if isinstance(value, tf.compat.v1.SparseTensorValue) else (value,)
