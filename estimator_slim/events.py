"""What became of each export as TensorBoard shows it, beside the curves of the training.

    <model_dir>/slim/best/events.out.tfevents.1700000000.host.41.000000007

It lies never below `eval*/`: a BestExporter that restarts reads every event there, and one without
`loss` ends the evaluator. A file of events is a TFRecord file, so each export writes one and closes it:
no graph is needed for it, and nothing is left open. Nothing that keeps it from being written does harm.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim import log
from estimator_slim.options import OPTIONS
from estimator_slim.report import PUBLISHED, Report, Verification, accuracies, verification_text

_MOST_WEIGHTS = 20  # with a histogram each

_Value = Any  # a tf.compat.v1.Summary.Value


def events_folder(model_dir: str, name: str, suffix: str) -> str:
    """`<model_dir>/slim/best`; with a suffix that was chosen, `<model_dir>/slim/best-tiny`."""
    return os.path.join(model_dir, "slim", name + suffix * (suffix != OPTIONS["suffix"].default))


def step_of(eval_result: Mapping[str, Any] | None, checkpoint: str | None) -> int:
    """The global step that is exported; 0 where neither the evaluation nor the checkpoint knows it."""
    known = (eval_result or {}).get("global_step")
    if known is not None:
        return int(known)
    number = re.search(r"-(\d+)$", checkpoint or "")
    return int(number[1]) if number else 0


def write_events(folder: str, step: int, report: Report) -> None:
    """Scalars, the summary as text, and how errors are spread over rows, of one optimization."""
    _write(folder, step, lambda: _values(report))


def write_scalar(folder: str, step: int, tag: str, value: float) -> None:
    """One number, such as `newest version has no twin`, 0 or 1."""
    _write(folder, step, lambda: iter([_scalar(tag, value)]))


def _write(folder: str, step: int, values: Any) -> None:
    try:
        now = time.time_ns()
        summary = tf.compat.v1.Summary(value=list(values()))
        tf.io.gfile.makedirs(folder)
        with tf.io.TFRecordWriter(os.path.join(folder, _file_name(now))) as file:
            for event in (tf.compat.v1.Event(file_version="brain.Event:2"),
                          tf.compat.v1.Event(step=step, summary=summary)):
                event.wall_time = now / 1e9
                file.write(event.SerializeToString())
    except (OSError, TypeError, ValueError, tf.errors.OpError) as e:
        log.debug("estimator_slim: TensorBoard's events cannot be written to %s (%s)", folder, e)


def _file_name(now: int) -> str:
    """Files are read in the order of their names."""
    seconds, rest = divmod(now, 10**9)
    return f"events.out.tfevents.{seconds:010}.{socket.gethostname()}.{os.getpid()}.{rest:09}"


def _values(report: Report) -> Iterator[_Value]:
    yield _text("summary", _summary(report))
    yield _scalar("published", report.outcome == PUBLISHED)
    yield _scalar("seconds", report.seconds)
    if report.outcome == PUBLISHED:
        yield _scalar("bytes/original", report.bytes_before)
        yield _scalar("bytes/slim", report.bytes_after)
        yield _scalar("bytes/share of the original's", report.ratio)
    if report.verification is not None:
        yield from _answers(report.verification)
    yield from islice(_weights(report), _MOST_WEIGHTS)


def _answers(found: Verification) -> Iterator[_Value]:
    for tag, value in (("answers/agreement", found.agreement),
                       ("answers/largest share of range", found.largest_share)):
        if value is not None:
            yield _scalar(tag, value)
    known = accuracies(found.outputs)
    for output, pair in known.items():
        for whose, value in zip(("original", "slim"), pair):
            yield _scalar(f"accuracy/{whose}" + (f" {output}" if len(known) > 1 else ""), value)
    for one in found.outputs:
        part = one.examples or one.made_up
        if part is not None and part.row_errors is not None:
            yield _histogram(f"row errors/{one.signature}/{one.output}", part.row_errors, part.rows)


def _weights(report: Report) -> Iterator[_Value]:
    """How far the rows of each weight are off, the largest weights first."""
    treated = [one for step in report.steps for one in step.treated if one.row_errors is not None]
    for one in sorted(treated, key=lambda one: -one.bytes_before):
        yield _histogram(f"row errors of weights/{one.weight}", one.row_errors or (),
                         one.shape[0] if one.rows is None else one.rows)


def _summary(report: Report) -> str:
    """Markdown: the line to quote, then what was found, as it is in a terminal."""
    if report.verification is None:
        return str(report)
    lines = verification_text(report.verification).splitlines()
    return "\n".join([str(report), "", *(f"    {line}" for line in lines)])


def _scalar(tag: str, value: float) -> _Value:
    return tf.compat.v1.Summary.Value(tag=tag, simple_value=float(value))


def _text(tag: str, text: str) -> _Value:
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="text")
    return tf.compat.v1.Summary.Value(tag=tag, tensor=tf.make_tensor_proto(text.encode()),
                                      metadata=tf.compat.v1.SummaryMetadata(plugin_data=plugin))


def _histogram(tag: str, quantiles: tuple[float, ...], rows: int) -> _Value:
    """Of so many rows, of which equally many are between each two quantiles."""
    edges = np.nan_to_num(np.asarray(quantiles, np.float64))
    limits, buckets = np.unique(edges[1:], return_inverse=True)
    counts = np.bincount(buckets) * rows / len(buckets)
    middles = (edges[:-1] + edges[1:]) / 2
    return tf.compat.v1.Summary.Value(tag=tag, histo=tf.compat.v1.HistogramProto(
        min=edges[0], max=edges[-1], num=rows, sum=middles.mean() * rows,
        sum_squares=np.square(middles).mean() * rows, bucket_limit=limits, bucket=counts))
