"""The MetaGraphs beside the optimized one (train, eval): dropped, or carried along as they are."""

from __future__ import annotations

from estimator_slim.graph.weight import Weight
from estimator_slim.saved_model.checkpoint_reader import CheckpointReader
from estimator_slim.saved_model.reader import Servable
from estimator_slim.saved_model.stored_weight import stored_weight

SERVE, ALL = KEPT = ("serve", "all")


def carried_weights(servable: Servable) -> dict[str, Weight]:
    """Checkpoint key → tensor, of all that the other MetaGraphs of `servable` may restore.

    That is the whole checkpoint: training also restores the optimizer's slots.

    Raises:
      SourceError: the bytes of a tensor are not those that were written (their checksum tells).
    """
    if not servable.others or servable.checkpoint is None:
        return {}
    reader = CheckpointReader(servable.checkpoint)
    for key in reader.tensors:
        reader.verify(key)
    return {key: stored_weight(reader, key) for key in sorted(reader.tensors)}
