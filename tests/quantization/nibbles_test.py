"""Packing: the layout, every width, every leading shape."""

from __future__ import annotations

import numpy as np
import pytest

from estimator_slim.quantization.nibbles import pack_nibbles, packed_width, unpack_nibbles


def test_the_layout() -> None:
    packed = pack_nibbles(np.uint8([[1, 2, 3, 4, 5]]))
    np.testing.assert_array_equal(packed, [[1 | 4 << 4, 2 | 5 << 4, 3]])


@pytest.mark.parametrize("leading", [(), (5,), (3, 2), (0,)])
@pytest.mark.parametrize("width", [0, 1, 2, 3, 63, 64, 257])
def test_there_and_back(leading: tuple[int, ...], width: int) -> None:
    codes = np.random.default_rng(0).integers(0, 16, (*leading, width), dtype=np.uint8)
    before = codes.copy()
    packed = pack_nibbles(codes)
    assert packed.shape == (*leading, packed_width(width)) and packed.dtype == np.uint8
    np.testing.assert_array_equal(unpack_nibbles(packed, width), codes)
    np.testing.assert_array_equal(codes, before)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="largest code is 16"):
        pack_nibbles(np.uint8([[16, 0]]))
    with pytest.raises(TypeError, match="codes are int8"):
        pack_nibbles(np.int8([[1]]))
    with pytest.raises(ValueError, match="rows of 2 bytes, expected 3 for width 5"):
        unpack_nibbles(np.zeros((1, 2), np.uint8), 5)
