"""What a servable promises to those that load it: the names that no transform may lose.

Signatures name the tensors that are fed and fetched; the init ops run once at load with the asset
tensors fed; the table initialisers are listed for loaders that run them one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import _names as names

INIT_SIGNATURE = "__saved_model_init_op"
_NOT_FOR_REQUESTS = (INIT_SIGNATURE, "__saved_model_train_op")


@dataclass(frozen=True)
class Interface:
    """The promised names.

    Attributes:
      signatures: as in the MetaGraphDef, `__saved_model_init_op` included.
      init_ops: nodes run at load (`main_op`, `legacy_init_op`, the init signature's).
      tables: nodes of the `table_initializer` collection.
      assets: one AssetFileDef for each file under `assets/`.
    """

    signatures: dict[str, meta_graph_pb2.SignatureDef]
    init_ops: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    assets: tuple[meta_graph_pb2.AssetFileDef, ...] = ()

    def served(self) -> dict[str, meta_graph_pb2.SignatureDef]:
        """The signatures that requests can name."""
        return {k: v for k, v in self.signatures.items() if k not in _NOT_FOR_REQUESTS}

    def inputs(self) -> list[str]:
        """Every tensor that some signature feeds, sorted."""
        return _tensors(info for s in self.served().values() for info in s.inputs.values())

    @functools.cached_property
    def fed(self) -> frozenset[str]:
        """`inputs`, to ask of one tensor whether it is fed."""
        return frozenset(self.inputs())

    def outputs(self) -> list[str]:
        """Every tensor that some signature fetches, sorted."""
        return _tensors(info for s in self.served().values() for info in s.outputs.values())

    def load_roots(self) -> list[str]:
        """Every node that loading runs or feeds, sorted."""
        assets = {names.node_of(name) for a in self.assets
                  for name in names.of_tensor_info(a.tensor_info)}
        return sorted({*self.init_ops, *self.tables, *assets})

    def roots(self) -> list[str]:
        """Every node that must be in the graph, sorted."""
        asked = {names.node_of(tensor) for tensor in self.inputs() + self.outputs()}
        return sorted(asked.union(self.load_roots()))


def _tensors(infos: Iterable[meta_graph_pb2.TensorInfo]) -> list[str]:
    return sorted({name for info in infos for name in names.of_tensor_info(info)})
