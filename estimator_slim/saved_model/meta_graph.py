"""Which nodes and tensors of its graph a MetaGraph names: those for requests, and those for loading.

Signatures name what requests feed and fetch. Where the names for loading stand differs from file to
file: the init op is in a collection or a signature, assets are in a field or a collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import INIT_SIGNATURE, Interface, names

_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_TRAIN_SIGNATURE = "__saved_model_train_op"


@dataclass(frozen=True)
class RequiredName:
    """A name that must be in the graph.

    Attributes:
      what: what goes by it, for messages: `the input 'x' of its signature 'predict'`.
      name: as the file spells it.
      is_tensor: it is fed or fetched, so the node must have that output; others are run.
    """

    what: str
    name: str
    is_tensor: bool


def required_names(meta_graph: meta_graph_pb2.MetaGraphDef, *, restored: bool) -> Iterator[RequiredName]:
    """Everything that requests and loading name, and the saver's op where variables are restored.

    Raises:
      ValueError: the list of assets cannot be read.
    """
    for key, signature in meta_graph.signature_def.items():
        for kind, infos in (("input", signature.inputs), ("output", signature.outputs)):
            for name, info in infos.items():
                what = f"the {kind} {name!r} of its signature {key!r}"
                if key != _TRAIN_SIGNATURE:
                    yield from _tensors(what, info, key != INIT_SIGNATURE)
    yield from (RequiredName("its init op", name, False) for name in _init_ops(meta_graph))
    yield from (RequiredName("its collection of table initializers", name, False)
                for name in _listed(meta_graph, "table_initializer"))
    for asset in _assets(meta_graph):
        yield from _tensors(f"its asset {asset.filename!r}", asset.tensor_info, True)
    if restored and meta_graph.saver_def.restore_op_name:
        yield RequiredName("its saver", meta_graph.saver_def.restore_op_name, False)


def nothing_to_ask(meta_graph: meta_graph_pb2.MetaGraphDef) -> str:
    """What a MetaGraph lacks that a server could be asked nothing, and what to do; "" where it can."""
    interface = interface_of(meta_graph)
    if interface.outputs():
        return ""
    lacking = "none of its signatures has an output" if interface.served() else "it has no signatures"
    if meta_graph.object_graph_def.nodes:
        return (f"{lacking}, so a server could be asked nothing; the methods of its object, which "
                "hub.KerasLayer or tf.saved_model.load would call, are not kept in a slim servable. "
                "Save it with tf.saved_model.save(model, path, signatures=...)")
    return (f"{lacking}, so a server could be asked nothing. An Estimator writes no signature without "
            "inputs, nor one that classifies or regresses other than serialized tf.Examples: return "
            "the placeholders that requests feed as receiver_tensors of serving_input_receiver_fn, "
            "give the model a PredictOutput, and export it again")


def interface_of(meta_graph: meta_graph_pb2.MetaGraphDef) -> Interface:
    """The names that no transform may lose, of a MetaGraph whose names are sound."""
    return Interface(
        signatures={k: v for k, v in meta_graph.signature_def.items() if k != _TRAIN_SIGNATURE},
        init_ops=tuple(names.node_of(name) for name in dict.fromkeys(_init_ops(meta_graph))),
        tables=tuple(names.node_of(n) for n in _listed(meta_graph, "table_initializer")),
        assets=tuple(_assets(meta_graph)))


def _tensors(what: str, info: meta_graph_pb2.TensorInfo, is_tensor: bool) -> Iterator[RequiredName]:
    yield from (RequiredName(what, name, is_tensor) for name in names.of_tensor_info(info))


def _init_ops(meta_graph: meta_graph_pb2.MetaGraphDef) -> list[str]:
    found = [node for key in _INIT_COLLECTIONS for node in _listed(meta_graph, key)]
    if INIT_SIGNATURE in meta_graph.signature_def:
        found += [i.name for i in meta_graph.signature_def[INIT_SIGNATURE].outputs.values()]
    return found


def _listed(meta_graph: meta_graph_pb2.MetaGraphDef, key: str) -> list[str]:
    return list(meta_graph.collection_def[key].node_list.value
                if key in meta_graph.collection_def else ())


def _assets(meta_graph: meta_graph_pb2.MetaGraphDef) -> list[meta_graph_pb2.AssetFileDef]:
    if meta_graph.asset_file_def or "saved_model_assets" not in meta_graph.collection_def:
        return list(meta_graph.asset_file_def)
    assets = []
    for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
        asset = meta_graph_pb2.AssetFileDef()
        try:
            if not packed.Unpack(asset):
                raise ValueError(f"it holds {packed.type_url!r}, expected AssetFileDef")
        except DecodeError as e:
            raise ValueError(str(e)) from e
        assets.append(asset)
    return assets
