"""What remove_attribute and rename_attribute must not break: nodes stay sound, variables keep values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from estimator_slim.graph.graph import VARIABLE_OPS, Graph, shared_name
from estimator_slim.transforms.registered import require_registered


@contextlib.contextmanager
def edit_attributes(graph: Graph, key: str, op_name: str) -> Iterator[list[str]]:
    """The nodes (of operation `op_name`, if that is not empty) that have attribute `key`, to be edited.

    When the block ends, each weight goes by what its variable's `shared_name` is then.

    Raises:
      TransformError: TensorFlow would not take an edited node.
    """
    found = [name for name, node in graph.nodes.items()
             if key in node.attr and op_name in ("", "*", node.op)]
    known_as = {name: shared_name(graph.nodes[name]) for name in found
                if graph.nodes[name].op in VARIABLE_OPS}
    yield found
    require_registered((graph.nodes[name] for name in found), "give an op_name to spare others")
    for name, old in known_as.items():
        if old in graph.weights:
            graph.weights[shared_name(graph.nodes[name])] = graph.weights[old]
