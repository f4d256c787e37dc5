"""Other names for nodes, wherever names stand: inputs, signatures, init ops, tables and assets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import _attributes as attributes
from estimator_slim.graph import _names as names
from estimator_slim.graph import _operations as operations
from estimator_slim.graph.graph import VARIABLE_OPS, Graph, NodeDef, shared_name
from estimator_slim.graph.interface import Interface

_SPARSE = ("values_tensor_name", "indices_tensor_name", "dense_shape_tensor_name")
_PLACED_WITH = b"loc:@"


def rename_nodes(graph: Graph, new_names: Mapping[str, str]) -> None:
    """Gives nodes of `graph` new names, in place; the promised names follow.

    Args:
      graph: a variable's value goes on going by the shared name that it has.
      new_names: old name → new name, none of them given twice.
    """
    for node in graph.nodes.values():
        if node.op in VARIABLE_OPS and node.name in new_names:
            attributes.put(node, "shared_name", shared_name(node))
        _rename(node, new_names)
    graph.nodes = {node.name: node for node in graph.nodes.values()}
    graph.interface = _interface(graph.interface, new_names)


def _rename(node: NodeDef, new_names: Mapping[str, str]) -> None:
    node.name = new_names.get(node.name, node.name)
    node.input[:] = [_renamed(name, new_names) for name in node.input]
    if "_class" in node.attr:
        attributes.put(node, "_class", [_placed(place, new_names)
                                        for place in operations.attribute(node, "_class").list.s])


def _renamed(name: str, new_names: Mapping[str, str]) -> str:
    """`name`, of a tensor, a node or a control dependency, with its node's new name."""
    node = names.node_of(name)
    return name.replace(node, new_names[node], 1) if node in new_names else name


def _placed(place: bytes, new_names: Mapping[str, str]) -> bytes:
    old = place[len(_PLACED_WITH):].decode()
    return _PLACED_WITH + new_names[old].encode() if old in new_names else place


def _interface(interface: Interface, new_names: Mapping[str, str]) -> Interface:
    signatures = {}
    for key, signature in interface.signatures.items():
        signatures[key] = meta_graph_pb2.SignatureDef()
        signatures[key].CopyFrom(signature)
        for info in (*signatures[key].inputs.values(), *signatures[key].outputs.values()):
            _rename_info(info, new_names)
    assets = []
    for asset in interface.assets:
        assets.append(meta_graph_pb2.AssetFileDef())
        assets[-1].CopyFrom(asset)
        _rename_info(assets[-1].tensor_info, new_names)
    return replace(interface, signatures=signatures, assets=tuple(assets),
                   init_ops=tuple(_renamed(name, new_names) for name in interface.init_ops),
                   tables=tuple(_renamed(name, new_names) for name in interface.tables))


def _rename_info(info: meta_graph_pb2.TensorInfo, new_names: Mapping[str, str]) -> None:
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        for part in _SPARSE:
            setattr(info.coo_sparse, part, _renamed(getattr(info.coo_sparse, part), new_names))
    elif kind == "composite_tensor":
        for component in info.composite_tensor.components:
            _rename_info(component, new_names)
    else:
        info.name = _renamed(info.name, new_names)
