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
from estimator_slim.training.evidence import Evidence, Read, differs
from estimator_slim.training.fused import fused
from estimator_slim.training.history import History, read_history
from estimator_slim.training.settled import settled
from estimator_slim.training.slots import Update
from estimator_slim.training.unknown import KEEP_FIRST, Unknown
from estimator_slim.training.vouched import vouched_for


def training_left_in(prefix: str, exported: str | None = None,
                     random: Collection[str] = ()) -> TrainingOf:
    """What training left of each variable that has rows, as the checkpoint with this prefix tells it.

    Reads PREFIX.meta and PREFIX.index once. When somebody asks for a variable, its slots are read, in
    slices; what is kept is a bit a row.

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

    def known(name: str, weight: Weight) -> Training | None:
        vouched = name in random or weight.origin in random
        if history is not None:
            return _recorded(history, name, weight, theirs, vouched=vouched)
        if vouched:
            return _vouched(prefix, weight, theirs)
        raise Unknown(why)

    def training_of(name: str, weight: Weight) -> Training | None:
        if len(weight.shape) < 2 or not weight.value_count or not weight.dtype.is_floating:
            return None
        try:
            return known(name, weight)
        except (Unknown, SourceError) as e:
            return Training.not_known(str(e))

    return training_of


def _vouched(prefix: str, weight: Weight, theirs: CheckpointReader | None) -> Training:
    """What is known of a variable without a .meta. Raises Unknown where that is nothing certain."""
    try:
        reader = CheckpointReader(prefix)
    except SourceError as e:
        raise Unknown(f"the training checkpoint cannot be read: {e}") from e
    evidence = vouched_for(reader, weight)
    _require_same(reader, stored_weight(reader, weight.origin), weight, theirs)
    return settled(evidence, None)


def _recorded(history: History, name: str, weight: Weight, theirs: CheckpointReader | None, *,
              vouched: bool) -> Training | None:
    """What is known of a variable by the .meta. Raises Unknown where that is nothing certain."""
    variables = history.variables
    if not variables.has_rows(name):
        return None
    trained = variables.saved.get(name)
    if trained is None or trained.shape != weight.shape or trained.dtype != weight.dtype:
        raise Unknown(f"the training checkpoint {history.reader.prefix} has no variable of this name "
                      "and shape. Give the checkpoint from which the servable was exported")
    _require_same(history.reader, trained, weight, theirs)
    evidence, drawn = _evidence(history, name, weight, vouched=vouched)
    parts = (_evidence(history, part, variables.saved[part], vouched=vouched)[0]
             for part in variables.other_parts(name))
    return settled(evidence, drawn, parts)


def _evidence(history: History, name: str, weight: Weight, *, vouched: bool) -> (
        tuple[Evidence, np.ndarray | None]):
    """What there is to compare, and a sample of the random numbers that a variable started from."""
    start = None if vouched else history.variables.start(name)
    earlier = history.earlier(name)
    from_start: Read | None = None  # the rows as they started
    if start is not None and start.ndim == 0:
        from_start = functools.partial(_repeated, start, weight.shape[1:])
    elif earlier and earlier[0] == 0:
        from_start = earlier[1].read
    updates = _updates(history, name, needed=from_start is None)
    slots = [slot for update in updates for slot in update.slots]
    absorbing = [slot for update in updates if update.absorbs for slot in update.slots]
    if from_start:
        absorbing = []
    is_random = start is None or start.ndim > 0
    evidence = Evidence(
        weight, slots, from_start or (earlier[1].read if absorbing and earlier else None), absorbing,
        overwritten=is_random and any(update.overwrites for update in updates),
        check=functools.partial(history.verify, [slot.weight for slot in slots]))
    return evidence, start if is_random else None


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
        raise Unknown(f"{e}. {KEEP_FIRST}") from e


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
