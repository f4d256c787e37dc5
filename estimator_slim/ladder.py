"""What is tried where a slim servable does not answer as its original: lists, rung by rung.

    as asked        fold_constants quantize_weights(bits=4)
    more precise    fold_constants quantize_weights(bits=4, weight=table:8)    the weights that cause it
    codes           fold_constants quantize_weights(bits=4)                    all rows and directions
    lossless        fold_constants                                             nothing changes answers
    empty                                                                      no transform at all

The first rung that passes is published. Where not even the empty list passes, no transform is to blame:
TensorFlow itself answers otherwise once the variables are constants, or the original does each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from estimator_slim.transforms import DropUntrainedRows, QuantizeWeights, ReduceRank, Transform

AS_ASKED, NEXT, PRECISE = "as asked", "next of the preset", "more precise"
CODES, LOSSLESS, EMPTY = "codes", "lossless", "empty"
_LESS = (DropUntrainedRows, ReduceRank)
_STEPS = {"4": "8", "8": "16", "16": "float"}
# What is left of an error after each step: 16 times as many codes; the 11 digits of a float16 against
# the 8 of a code; nothing.
_LEFT = {"8": 1 / 16, "16": 1 / 8, "float": 0.0}
_ROOM = 0.7  # of what is allowed, that all errors together may take where they are predicted


@dataclass(frozen=True)
class Effect:
    """What one coded weight does to the answers by itself.

    Attributes:
      bits: that it is coded with, `4`, `8` or `16`.
      error: the largest, as a multiple of what is allowed.
    """

    bits: str
    error: float


Effects = Mapping[str, Effect]  # by the weight's name


@dataclass(frozen=True)
class Rung:
    """One list to try.

    Attributes:
      name: what kind of a list it is.
      transforms: the list.
    """

    name: str
    transforms: tuple[Transform, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.transforms)) or "no transform"


def rungs(lists: Sequence[Sequence[Transform]], effects: Callable[[Rung], Effects]) -> Iterator[Rung]:
    """The lists, and the rungs below the last, four at most; ask for the next one where one fell.

    Args:
      lists: as asked: one, or those of a preset.
      effects: measures what each coded weight of a list does to the answers by itself; {} where it
        cannot be told, or where the list would fail without any of them.
    """
    for number, one in enumerate(lists):
        yield Rung(AS_ASKED if number == 0 else NEXT, tuple(one))
    asked = tuple(lists[-1])
    lossless = tuple(one for one in asked if not one.lossy)
    coded = tuple(one for one in asked
                  if not one.lossy or isinstance(one, (QuantizeWeights, *_LESS)))
    if coded != lossless:
        precise = more_precise(coded, effects(Rung(AS_ASKED, coded)))
        if precise != asked:
            yield Rung(PRECISE, precise)
    codes = tuple(one for one in coded if not isinstance(one, _LESS))
    if codes not in (coded, lossless):
        yield Rung(CODES, codes)
    if lossless != asked:
        yield Rung(LOSSLESS, lossless)
    if lossless:
        yield Rung(EMPTY, ())


def more_precise(transforms: Sequence[Transform], effects: Effects) -> tuple[Transform, ...]:
    """The list with more bits for those weights whose errors together are more than is allowed.

    The weight with the largest error gets the next precision (4, 8, 16 bits, float), until what is
    predicted to be left of all errors has room in what is allowed. Errors of different weights have
    nothing to do with each other, so their squares add up.
    """
    return tuple(replace(one, weight=_chosen(one, effects)) if isinstance(one, QuantizeWeights) else one
                 for one in transforms)


def _chosen(transform: QuantizeWeights, effects: Effects) -> tuple[str, ...]:
    left = {name: effect.error for name, effect in effects.items()}
    bits = {name: effect.bits for name, effect in effects.items()}
    while left and math.sqrt(sum(error**2 for error in left.values())) > _ROOM:
        name = max(left, key=lambda one: (left[one], one))
        if bits[name] not in _STEPS:
            break
        bits[name] = _STEPS[bits[name]]
        left[name] *= _LEFT[bits[name]]
    raised = {name: chosen for name, chosen in bits.items() if chosen != effects[name].bits}
    kept = [one for one in transform.weight if one.rpartition(":")[0] not in raised]
    return (*kept, *(f"{name}:{chosen}" for name, chosen in sorted(raised.items())))
