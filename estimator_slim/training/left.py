"""Which rows of a servable's tables training moved, by what it left in its checkpoint."""

from __future__ import annotations

import functools
from collections.abc import Collection

import numpy as np

from estimator_slim.checkpoint import CheckpointReader
from estimator_slim.freezing import TrainingOf
from estimator_slim.graph import NodeDef, Training, Weight, names
from estimator_slim.training.composed import composed
from estimator_slim.training.drawn import require_drawn
from estimator_slim.training.evidence import Evidence, differs
from estimator_slim.training.fused import Fused, fused
from estimator_slim.training.history import History, read_history
from estimator_slim.training.slots import Slot, Update
from estimator_slim.training.unknown import Unknown
from estimator_slim.training.variables import Variables


def training_left_in(prefix: str, exported: str | None = None,
                     random: Collection[str] = ()) -> TrainingOf:
    """What training left of each variable that has rows, as the checkpoint with this prefix tells it.

    Reads PREFIX.meta and PREFIX.index once; slots are read in slices, when somebody asks for rows.

    Args:
      prefix: of a checkpoint that training wrote, such as `model_dir/model.ckpt-5000`.
      exported: prefix of the servable's variables, to see that they are those of the checkpoint without
        reading them; None: they are read and compared.
      random: variables of which a person says that untrained rows hold nothing, whatever set them.

    Returns:
      a function that says `None` of variables without rows, and why where nothing certain is known.
    """
    try:
        history = read_history(prefix)
        reader = CheckpointReader(exported) if exported else None
    except Unknown as e:
        why = str(e)
        return lambda name, weight: Training.not_known(why) if _may_have_rows(weight) else None

    def training_of(name: str, weight: Weight) -> Training | None:
        if not _may_have_rows(weight) or not history.variables.has_rows(name):
            return None
        try:
            return _evidence(history, name, weight, reader, vouched=name in random).training()
        except Unknown as e:
            return Training.not_known(str(e))

    return training_of


def _may_have_rows(weight: Weight) -> bool:
    return len(weight.shape) > 1 and weight.dtype.is_floating


def _evidence(history: History, name: str, weight: Weight, exported: CheckpointReader | None,
              vouched: bool) -> Evidence:
    variables = history.variables
    trained = variables.saved.get(name)
    if trained is None or trained.shape != weight.shape or trained.dtype != weight.dtype:
        raise Unknown(f"the training checkpoint {history.reader.prefix} has no variable of this name "
                      "and shape. Give the checkpoint from which the servable was exported")
    _require_same(history.reader, trained, weight, exported)
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
      Unknown: it is needed.
    """
    try:
        _, nodes = history.variables.starts_and_updates(name)
        updates = [update_of(history.variables, name, node) for node in nodes]
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


def update_of(variables: Variables, variable: str, node: NodeDef) -> Update:
    """What `node` leaves where it changes `variable`. Raises Unknown if that is not certain."""
    kind = fused(node)
    if kind is None:
        return composed(variables, variable, node)
    return _fused(variables, variable, node, kind)


def _fused(variables: Variables, variable: str, node: NodeDef, kind: Fused) -> Update:
    inputs, graph, slots = names.data_inputs(node), variables.graph, []
    if names.node_of(graph.source(inputs[0])) != variable:
        raise Unknown(f"it is a slot of {node.op} ({node.name!r}) itself")
    for index in kind.zeros:
        if variables.constant(inputs[index]):
            raise Unknown(f"{node.op} ({node.name!r}) moves rows without a gradient")
    for number, decay in enumerate(kind.decays):
        holder = names.node_of(graph.source(inputs[number + 1]))
        if holder not in variables.saved:
            raise Unknown(f"the optimizer's slot {holder!r} is not in the checkpoint")
        start = variables.start(holder)
        if start.ndim:
            raise Unknown(f"it is not known what the optimizer's slot {holder!r} started from")
        slots.append(Slot(variables.saved[holder], start,
                          None if decay is None else variables.constant(inputs[decay]),
                          squares=number == kind.squares and (decay is None or start == 0)))
    return Update(node.name, slots, kind.overwrites)


def _require_same(reader: CheckpointReader, trained: Weight, weight: Weight,
                  exported: CheckpointReader | None) -> None:
    """Raises Unknown unless the servable's values are those of the checkpoint."""
    mine = reader.entry(trained.origin).pieces
    theirs = exported.entry(weight.origin).pieces if exported else ()
    if [p.region for p in mine] == [p.region for p in theirs]:
        same = [(p.size, p.crc) for p in mine] == [(p.size, p.crc) for p in theirs]
    else:
        same = not any(differs(rows, trained.read(at, at + len(rows))).any()
                       for at, rows in weight.slices())
    if not same:
        raise Unknown(f"its values are not those of the checkpoint {reader.prefix}. Give the one from "
                      "which the servable was exported")
