"""Small servables of graphs built by hand, and what there is to see in a servable."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from estimator_slim import Report, optimize_saved_model
from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph
from estimator_slim.saved_model.reader import read_servable
from tests.support.ask import ask, session_options

v1 = tf.compat.v1
_NUMBERS = itertools.count()


def servable(folder: Path, network: Callable[[], Any], *, saver: Callable[[], Any] | None = None,
             main_op: Callable[[], Any] = v1.tables_initializer, without_defaults: bool = False) -> str:
    """Exports what `network()` builds: (inputs, outputs), or signature → (inputs, outputs).

    Returns the directory. `saver` and `main_op` are called when the network stands. `without_defaults`
    spells out no attribute that is at its default, as Estimators do it.
    """
    path = str(folder / f"original-{next(_NUMBERS)}" / "1")
    with tf.Graph().as_default(), v1.Session(config=session_options()) as session:
        v1.set_random_seed(7)
        made = network()
        signatures = made if isinstance(made, dict) else {"serving_default": made}
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(path)
        builder.add_meta_graph_and_variables(
            session, ["serve"],
            {key: v1.saved_model.predict_signature_def(*s) for key, s in signatures.items()},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=main_op(), saver=saver() if saver else None,
            strip_default_attrs=without_defaults)
        builder.save()
    return path


def variable(name: str, values: np.ndarray, **options: Any) -> Any:
    """A variable of these values."""
    return v1.get_variable(name, initializer=tf.constant(values), **options)


def slim(source: str, transforms: str | None, **options: Any) -> tuple[str, Report]:
    """The optimized servable's directory, and the report, of which no record is kept.

    Beside a `source` that several processes share, each has names of its own.
    """
    path = str(Path(source).parent.parent / f"slim-{os.getpid()}-{next(_NUMBERS)}" / "1")
    report = optimize_saved_model(source, path, transforms, **{"report": "off", **options})
    assert report is not None
    return path, report


def answers(directory: str, *requests: Any) -> Any:
    """What serving_default answers to each request (to one: not in a list)."""
    found = ask(directory, requests, optimizer=False)
    result = [found["serving_default", number] for number in range(len(requests))]
    return result[0] if len(result) == 1 else result


def meta_graph(directory: str) -> Any:
    """The only MetaGraph of a servable."""
    return loader_impl.parse_saved_model(directory).meta_graphs[0]


def request_nodes(directory: str) -> list[Any]:
    """The nodes that run when requests ask for everything that is served."""
    graph: Graph = read_servable(directory, ["serve"]).graph
    fetched = {names.node_of(tensor) for tensor in graph.interface.outputs()}
    return [graph.nodes[name] for name in sorted(graph.ancestors(fetched))]


def request_ops(directory: str) -> Counter:
    """How many nodes of each operation run for a request."""
    return Counter(node.op for node in request_nodes(directory))


def stored(directory: str) -> dict[str, np.ndarray]:
    """The tensors in `variables/` by their keys."""
    reader = tf.train.load_checkpoint(f"{directory}/variables/variables")
    return {key: reader.get_tensor(key) for key in sorted(reader.get_variable_to_shape_map())}


def bytes_of(directory: str) -> int:
    """Bytes of the graph and of everything in `variables/`."""
    return sum(f.stat().st_size for f in Path(directory).rglob("*") if f.is_file())


def reasons(report: Report) -> str:
    """Everything that the report says was left alone, and why, in one text."""
    return "\n".join(f"{node}: {why}" for step in report.steps for node, why in step.skipped)
