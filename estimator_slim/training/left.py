"""Which rows of a servable's tables training moved, by what it left in its checkpoint."""

from __future__ import annotations

import functools
from collections.abc import Collection

import numpy as np

from estimator_slim.checkpoint import CheckpointReader, stored_weight
from estimator_slim.errors import SourceError
from estimator_slim.freezing import TrainingOf
from estimator_slim.graph import Training, Weight
from estimator_slim.training.composed import composed
from estimator_slim.training.drawn import require_drawn
from estimator_slim.training.evidence import Evidence, differs
from estimator_slim.training.fused import fused
from estimator_slim.training.history import History, read_history
from estimator_slim.training.slots import Update
from estimator_slim.training.unknown import Unknown
from estimator_slim.training.vouched import vouched_for


def training_left_in(prefix: str, exported: str | None = None,
                     random: Collection[str] = ()) -> TrainingOf:
    """What training left of each variable that has rows, as the checkpoint with this prefix tells it.

    Reads PREFIX.meta and PREFIX.index once; slots are read in slices, when somebody asks for rows.

    Args:
      prefix: of a checkpoint that training wrote, such as `model_dir/model.ckpt-5000`.
      exported: prefix of the servable's variables, to see that they are those of the checkpoint without
        reading them; None: they are read and compared.
      random: nodes or checkpoint keys of variables of which a person says that they started from random
        numbers: their untrained rows hold nothing, whatever set them, with a .meta or without.

    Returns:
      a function that says `None` of variables without rows, and why where nothing certain is known.
    """
    theirs = CheckpointReader(exported) if exported else None
    try:
        history, why = read_history(prefix), ""
    except Unknown as e:
        history, why = None, str(e)

    def evidence(name: str, weight: Weight) -> Evidence | None:
        vouched = name in random or weight.origin in random
        if history is not None:
            return _evidence(history, name, weight, theirs, vouched=vouched)
        if not vouched:
            raise Unknown(why)
        return _vouched(prefix, weight, theirs)

    def training_of(name: str, weight: Weight) -> Training | None:
        if len(weight.shape) < 2 or not weight.dtype.is_floating:
            return None
        try:
            found = evidence(name, weight)
        except Unknown as e:
            return Training.not_known(str(e))
        return None if found is None else found.training()

    return training_of


def _vouched(prefix: str, weight: Weight, theirs: CheckpointReader | None) -> Evidence:
    try:
        reader = CheckpointReader(prefix)
    except SourceError as e:
        raise Unknown(f"the training checkpoint cannot be read: {e}") from e
    evidence = vouched_for(reader, weight)
    _require_same(reader, stored_weight(reader, weight.origin), weight, theirs)
    return evidence


def _evidence(history: History, name: str, weight: Weight, theirs: CheckpointReader | None, *,
              vouched: bool) -> Evidence | None:
    variables = history.variables
    if not variables.has_rows(name):
        return None
    trained = variables.saved.get(name)
    if trained is None or trained.shape != weight.shape or trained.dtype != weight.dtype:
        raise Unknown(f"the training checkpoint {history.reader.prefix} has no variable of this name "
                      "and shape. Give the checkpoint from which the servable was exported")
    _require_same(history.reader, trained, weight, theirs)
    start = None if vouched else variables.start(name)
    first = history.first[name].read if name in history.first else None
    is_constant = start is not None and start.ndim == 0
    if start is not None and is_constant:
        first = functools.partial(_repeated, start, weight.shape[1:])
    updates = _updates(history, name, needed=first is None)
    slots = [slot for update in updates for slot in update.slots]
    evidence = Evidence(weight, slots, first,
                        overwritten=not is_constant and any(u.overwrites for u in updates),
                        check=functools.partial(history.verify, [slot.weight for slot in slots]))
    if start is not None and not is_constant:
        require_drawn(evidence, start)
    return evidence


def _repeated(constant: np.ndarray, row: tuple[int, ...], start: int, stop: int) -> np.ndarray:
    """Rows start..stop of a variable that is one constant."""
    return np.full((stop - start, *row), constant)


def _updates(history: History, name: str, *, needed: bool) -> list[Update]:
    """All updates of a variable; none where they leave nothing certain, and that is not needed.

    Raises:
      Unknown: it is needed, or there are no updates.
    """
    _, nodes = history.variables.starts_and_updates(name)
    if not nodes:
        raise Unknown("training never changes it, so its rows are of use as they are")
    try:
        updates = [fused(history.variables, name, node) or composed(history.variables, name, node)
                   for node in nodes]
        for update in updates:
            if history.steps is None or update.decayed(history.steps):
                raise Unknown(f"its optimizer forgets ({update.node!r} lets its slots decay): after "
                              f"{history.steps} steps an early update may have left no trace in them")
        return updates
    except Unknown as e:
        if not needed:
            return []
        raise Unknown(f"{e}. Keep the first checkpoint (keep_checkpoint_max) beside this one, and all "
                      "rows are compared with it") from e


def _require_same(reader: CheckpointReader, trained: Weight, weight: Weight,
                  theirs: CheckpointReader | None) -> None:
    """Raises Unknown unless the servable's values are those of the checkpoint."""
    stored = reader.entry(trained.origin).pieces
    served = theirs.entry(weight.origin).pieces if theirs else ()
    if [p.region for p in stored] == [p.region for p in served]:
        same = [(p.size, p.crc) for p in stored] == [(p.size, p.crc) for p in served]
    else:
        same = not any(differs(rows, trained.read(at, at + len(rows))).any()
                       for at, rows in weight.slices())
    if not same:
        raise Unknown(f"its values are not those of the checkpoint {reader.prefix}. Give the one from "
                      "which the servable was exported")
