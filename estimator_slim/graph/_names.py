"""Names of tensors and nodes, as NodeDef inputs and SignatureDefs spell them.

`a` and `a:0` are the first output of node `a`, `a:3` its fourth, `^a` a control dependency on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf import meta_graph_pb2


def is_control(name: str) -> bool:
    """True for a control dependency, `^node`."""
    return name.startswith("^")


def split(name: str) -> tuple[str, int]:
    """The node and the number of its output; -1 for a control dependency.

        >>> split("a:3"), split("a"), split("^a")
        (('a', 3), ('a', 0), ('a', -1))
    """
    if is_control(name):
        return name[1:], -1
    node, colon, port = name.rpartition(":")
    return (node, int(port)) if colon else (name, 0)


def node_of(name: str) -> str:
    """The node behind the name of a tensor, of a control dependency, or of a function's tensor.

        >>> node_of("a:3"), node_of("^a"), node_of("a:y:3")
        ('a', 'a', 'a')
    """
    return name.removeprefix("^").partition(":")[0]


def data_inputs(node: NodeDef) -> list[str]:
    """The tensors that `node` reads, in order."""
    return [name for name in node.input if not is_control(name)]


def control_inputs(node: NodeDef) -> list[str]:
    """The control dependencies of `node`, which stand behind its other inputs."""
    return [name for name in node.input if is_control(name)]


def canonical(name: str) -> str:
    """The spelling that NodeDef inputs use; everything but output 0 stays.

        >>> canonical("a:0"), canonical("a:1")
        ('a', 'a:1')
    """
    return name[:-2] if name.endswith(":0") else name


def tensor(node: str, port: int = 0) -> str:
    """The NodeDef spelling of output `port` of `node`."""
    return f"{node}:{port}" if port else node


def of_tensor_info(info: meta_graph_pb2.TensorInfo) -> Iterator[str]:
    """Every tensor that a signature's entry stands for: one, or the parts of a sparse or composite."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        parts = [sparse.indices_tensor_name, sparse.values_tensor_name,
                 sparse.dense_shape_tensor_name]
    elif kind == "composite_tensor":
        for component in info.composite_tensor.components:
            yield from of_tensor_info(component)
        return
    else:
        parts = [info.name]
    yield from (canonical(part) for part in parts if part)
