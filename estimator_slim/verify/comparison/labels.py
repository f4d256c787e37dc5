"""Right answers, where requests carry labels: how often each servable decides as the label says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def accuracies(labels: Sequence[np.ndarray | None],
               *decided: Sequence[np.ndarray]) -> list[float | None]:
    """The share of labelled rows that are decided right, for each of `decided`.

    Args:
      labels: of each answer, [batch] or [batch, 1]; None where there are none.
      decided: the decisions of each answer, [batch] or [batch, 1], ids or names.

    Returns:
      None where no label is of the kind of the decisions.
    """
    return [_share([_right(np.asarray(label), values) for label, values in zip(labels, one)
                    if label is not None and _comparable(np.asarray(label), values)])
            for one in decided]


def _share(rights: Sequence[np.ndarray]) -> float | None:
    return float(np.mean(np.concatenate(rights))) if rights else None


def _comparable(label: np.ndarray, values: np.ndarray) -> bool:
    return (0 < label.size == values.size and _is_text(label) == _is_text(values)
            and label.dtype.kind in "iubOSU")


def _right(label: np.ndarray, values: np.ndarray) -> np.ndarray:
    wanted, got = label.ravel(), values.ravel()
    if _is_text(values):
        return np.array([_bytes(a) == _bytes(b) for a, b in zip(wanted, got)])
    return wanted == got


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind in "OSU"


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
