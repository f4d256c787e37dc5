"""Updates that are one operation: ResourceSparseApplyAdagrad, ResourceApplyFtrlV2, ApplyMomentum, ...

The names of TensorFlow 1.x and 2.x, of variables by handle and by reference, of gradients for all rows
and for some, differ by a few words; inputs 1, 2, 3 are the slots in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from estimator_slim.graph import NodeDef, attribute, names
from estimator_slim.training.slots import Slot, Update
from estimator_slim.training.unknown import Unknown
from estimator_slim.training.variables import Variables


@dataclass(frozen=True)
class Fused:
    """What the inputs of such an operation are.

    Attributes:
      decays: for each slot the input that says by what factor it shrinks; None: it never does.
      squares: which of the slots holds squares of gradients, from 0; None: no slot.
      overwrites: see `Update`.
      absorbs: gradients that are small beside the start value leave no trace in the sum.
      zeros: inputs that move a row even where its gradient is zero, unless they are zero themselves.
    """

    decays: tuple[int | None, ...]
    squares: int | None = 0
    overwrites: bool = False
    absorbs: bool = False
    zeros: tuple[int, ...] = ()


_KINDS = {
    "Adagrad": Fused((None,), absorbs=True),
    "ProximalAdagrad": Fused((None,), absorbs=True, zeros=(3, 4)),  # l1, l2
    "AdagradDA": Fused((None, None), squares=1, overwrites=True),
    "Ftrl": Fused((None, None), overwrites=True),
    "Adadelta": Fused((4, 4)),  # rho
    "Adam": Fused((6, 7), squares=1),  # beta1, beta2
    "AdamWithAmsgrad": Fused((7, 8, None), squares=1),  # beta1, beta2; the largest v stays
    "AdaMax": Fused((5, 6), squares=None),  # beta1, beta2
    "RMSProp": Fused((4, 5)),  # rho, momentum
    "CenteredRMSProp": Fused((5, 5, 6), squares=1),  # rho, rho, momentum
    "Momentum": Fused((-1,), squares=None),
    "KerasMomentum": Fused((-1,), squares=None),
}


def fused(variables: Variables, variable: str, node: NodeDef) -> Update | None:
    """What `node` leaves where it changes `variable`; None if it is no update in one operation.

    Raises:
      Unknown: it is one, and leaves nothing that is certain.
    """
    kind = _kind(node)
    if kind is None:
        return None
    inputs = [names.node_of(variables.graph.source(i)) for i in names.data_inputs(node)]
    if inputs[0] != variable:
        raise Unknown(f"it is a slot of another variable ({node.op} {node.name!r})")
    if "update_slots" in node.attr and not attribute(node, "update_slots").b:
        raise Unknown(f"{node.op} ({node.name!r}) leaves its slots as they are (update_slots)")
    for index in kind.zeros:
        if variables.constant(inputs[index]):
            raise Unknown(f"{node.op} ({node.name!r}) moves rows that have no gradient")
    if kind.absorbs and "Sparse" not in node.op:
        raise Unknown(f"{node.op} ({node.name!r}) takes gradients of all rows at each step, of a "
                      "penalty on the table, say, which may be too small to show in its sums")
    slots = [_slot(variables, inputs, kind, number) for number in range(len(kind.decays))]
    return Update(node.name, slots, kind.overwrites)


def _kind(node: NodeDef) -> Fused | None:
    name = node.op.removeprefix("Resource").removeprefix("Sparse")
    if not name.startswith("Apply"):
        return None
    return _KINDS.get(name.removeprefix("Apply").removesuffix("V2"))


def _slot(variables: Variables, inputs: list[str], kind: Fused, number: int) -> Slot:
    holder, factor = inputs[number + 1], kind.decays[number]
    if holder not in variables.saved:
        raise Unknown(f"its optimizer's slot {holder!r} is not in the checkpoint")
    start = variables.start(holder)
    if start.ndim:
        raise Unknown(f"it is not known what its optimizer's slot {holder!r} started from")
    decay = None if factor is None else variables.constant(inputs[factor])
    squares = number == kind.squares and (decay is None or start == 0)
    return Slot(variables.saved[holder], start, decay, squares)
