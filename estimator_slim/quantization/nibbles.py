"""Two 4-bit codes in one byte.

The first half of a row goes to the low nibbles and the second half to the high ones, because
that is cheap to undo in a graph: no interleaving, only

    concat([packed & 15, packed >> 4], axis=-1)[..., :width]

For width 5: codes a b c d e → bytes a|d, b|e, c|0.
"""

from __future__ import annotations

import numpy as np


def packed_width(width: int) -> int:
    """Bytes that hold `width` 4-bit codes: half, rounded up."""
    return (width + 1) // 2


def pack_nibbles(codes: np.ndarray) -> np.ndarray:
    """uint8 codes 0 … 15 [..., width] → uint8 [..., packed_width(width)].

    Raises TypeError for another dtype and ValueError for a code above 15, which would spill into
    its neighbour.

        >>> pack_nibbles(np.uint8([[1, 2, 3]]))
        array([[49,  2]], dtype=uint8)
    """
    if codes.dtype != np.uint8:
        raise TypeError(f"codes are {codes.dtype}, expected uint8")
    if codes.size and codes.max() > 15:
        raise ValueError(f"largest code is {codes.max()}, expected 4-bit codes 0 … 15")
    half = packed_width(codes.shape[-1])
    packed = codes[..., :half].copy()
    packed[..., : codes.shape[-1] - half] |= codes[..., half:] << np.uint8(4)
    return packed


def unpack_nibbles(packed: np.ndarray, width: int) -> np.ndarray:
    """What the graph does: uint8 [..., packed_width(width)] → uint8 codes [..., width].

    Raises ValueError if the bytes do not fit the width.
    """
    if packed.shape[-1] != packed_width(width):
        raise ValueError(
            f"rows of {packed.shape[-1]} bytes, expected {packed_width(width)} for width {width}"
        )
    return np.concatenate([packed & np.uint8(15), packed >> np.uint8(4)], axis=-1)[..., :width]
