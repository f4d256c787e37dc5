"""The empty batch, to which a right slim servable may answer otherwise.

TensorFlow 2.15 with oneDNN gives what a Conv2D makes of [0, 8, 8, 3] the shape of its input. Where the
original has an operation behind it that broadcasts, the shape is right again; fold_batch_norms takes
that operation away, and the next layer refuses what it gets. Nobody sends an empty batch to be answered,
so it is worth a warning and no servable.
"""

from __future__ import annotations

from collections.abc import Sequence

from estimator_slim.verify.answers import CRASH
from estimator_slim.verify.request import Answer, Refusal, Request

_Asked = tuple[Request, Answer, Answer]


def without_empty_batches(asked: Sequence[_Asked]) -> tuple[list[_Asked], list[str]]:
    """What was asked without the empty batches that the slim servable refuses or shapes otherwise.

    And a sentence for each signature of which there are any.
    """
    kept: list[_Asked] = []
    told: dict[str, str] = {}
    for request, want, got in asked:
        what = _what_differs(request, want, got)
        if what:
            told.setdefault(request.signature, f"signature {request.signature!r} {what}")
        else:
            kept.append((request, want, got))
    return kept, list(told.values())


def _what_differs(request: Request, want: Answer, got: Answer) -> str:
    """The end of a sentence; `` for what is no empty batch, or is answered in the same shapes."""
    if isinstance(want, Refusal) or not request.empty():
        return ""
    if any(output.shape[:1] != (0,) for output in want.values()):
        return ""  # rows of which a sparse input has none
    if isinstance(got, Refusal):
        return "" if got.error == CRASH else (
            f"refuses the empty batch, which the original answers ({got.error}: {got.message})")
    for key, output in want.items():
        other = got.get(key)
        if other is None or other.values.dtype != output.values.dtype:
            return ""
    shapes = [f"{key!r} in {list(got[key].shape)} instead of {list(output.shape)}"
              for key, output in want.items() if got[key].shape != output.shape]
    return f"answers the empty batch with {', '.join(shapes)}" if shapes else ""
