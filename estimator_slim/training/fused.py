"""Updates that are one operation: ResourceSparseApplyAdagrad, ResourceApplyFtrlV2, ApplyMomentum, ...

The names of TensorFlow 1.x and 2.x, of variables by handle and by reference, of gradients for all rows
and for some, differ by a few words; inputs 1, 2, 3 are the slots in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from estimator_slim.graph import NodeDef


@dataclass(frozen=True)
class Fused:
    """What the inputs of such an operation are.

    Attributes:
      decays: for each slot the input that says by what factor it shrinks; None: it never does.
      squares: which of the slots holds squares of gradients, from 0; None: no slot.
      overwrites: see `Update`.
      zeros: inputs that move a row even where its gradient is zero, unless they are zero themselves.
    """

    decays: tuple[int | None, ...]
    squares: int | None = 0
    overwrites: bool = False
    zeros: tuple[int, ...] = ()


_KINDS = {
    "Adagrad": Fused((None,)),
    "ProximalAdagrad": Fused((None,), zeros=(3, 4)),  # l1, l2
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


def fused(node: NodeDef) -> Fused | None:
    """What the inputs of `node` are, if it is an update in one operation that leaves a trace."""
    name = node.op.removeprefix("Resource").removeprefix("Sparse")
    if not name.startswith("Apply"):
        return None
    return _KINDS.get(name.removeprefix("Apply").removesuffix("V2"))
