"""Tables of which a person says that they started from random numbers, where no .meta tells.

Slots are found by the names of their keys. Only sums are of use, which grow from a start value that is
therefore their smallest value, and the linear terms beside them, which start from zero:

    KEY/Adagrad, KEY/t_0/Adagrad, .../KEY/accumulator            Adagrad
    KEY/Ftrl and KEY/Ftrl_1, .../KEY/accumulator and linear      FTRL
"""

from __future__ import annotations

import re

import numpy as np

from estimator_slim.checkpoint import CheckpointReader, stored_weight
from estimator_slim.graph import Weight
from estimator_slim.training.evidence import Evidence
from estimator_slim.training.slots import Slot
from estimator_slim.training.unknown import Unknown

_LINEAR = {"Adagrad": None, "t_0/Adagrad": None, "Ftrl": "Ftrl_1", "t_0/Ftrl": "t_0/Ftrl_1",
           "accumulator": "linear"}
_OF_OBJECTS = re.compile(r"/\.OPTIMIZER_SLOT/[^/]+|/\.ATTRIBUTES/VARIABLE_VALUE$")


def vouched_for(reader: CheckpointReader, weight: Weight) -> Evidence:
    """What the slots of a table tell, given the checkpoint of training.

    Raises:
      Unknown: there is no sum of gradients of it, or something else beside it.
    """
    key = weight.origin
    if key not in reader.tensors or reader.tensors[key].shape != weight.shape:
        raise Unknown(f"the training checkpoint {reader.prefix} has no tensor {key!r} of the same shape")
    beside = _beside(reader, key)
    sums = next((name for name in _LINEAR if name in beside), "")
    if not beside or not {sums, _LINEAR.get(sums)} >= set(beside):
        raise Unknown(f"beside {key!r} the training checkpoint {reader.prefix} has {sorted(beside)}: "
                      "expected the slots of Adagrad or FTRL, since no .meta tells what others mean")
    slots = [Slot(stored_weight(reader, beside[name]), _start(reader, beside[name], grows=name == sums),
                  squares=name == sums) for name in sorted(beside)]
    return Evidence(weight, slots, absorbing=slots if len(slots) == 1 else (),
                    overwritten=len(slots) > 1)


def _beside(reader: CheckpointReader, key: str) -> dict[str, str]:
    """The keys of the tensors named after this one, of its shape, by what their names end with."""
    whole, found = f"/{_OF_OBJECTS.sub('', key)}/", {}
    for name, entry in reader.tensors.items():
        _, after, rest = f"/{_OF_OBJECTS.sub('', name)}".partition(whole)
        if after and name != key and entry.shape == reader.tensors[key].shape:
            found[rest] = name
    return found


def _start(reader: CheckpointReader, key: str, *, grows: bool) -> np.ndarray:
    """The smallest value of a sum, once its checksum is verified; zero for what is no sum."""
    reader.verify(key)
    weight = stored_weight(reader, key)
    smallest = min((rows.min() for _, rows in weight.slices()), default=0) if grows else 0
    return np.asarray(smallest, weight.dtype.as_numpy_dtype)
