"""CRC-32C, the checksum of checkpoints, in numpy at about one nanosecond a byte.

A CRC register is linear over GF(2): xor of messages is xor of registers, and "move on by k
words" is a 32x32 bit matrix. So a long message folds onto a short one with the same checksum:

    message   w0 w1 w2 w3 | w4 w5 w6 w7 | w8 ...     rows of `width` 32-bit words
    fold      moved_on(row 0, width) ^ row 1         and so on down to a single row
    halve     moved_on(left half, width / 2) ^ right half, ... down to a single word
"""

from __future__ import annotations

from functools import cache
from typing import Union

import numpy as np

Buffer = Union[bytes, bytearray, memoryview, np.ndarray]

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFFFFFF
_WIDTH = 1 << 14  # words a row: 64 KiB, long enough for numpy, short enough for the cache
_MASK_DELTA = 0xA282EAD8


def extend_crc(crc: int, data: Buffer) -> int:
    """The CRC-32C of a message that had `crc` so far and goes on with `data`; begin with 0.

    >>> hex(extend(extend(0, b"1234"), b"56789"))
    '0xe3069283'
    """
    octets = np.frombuffer(data, np.uint8)
    register, odd = crc ^ _ONES, octets.size % 4
    for octet in octets[:odd].tolist():
        register = _clock(register ^ octet, bits=8)
    words = octets[odd:].view("<u4")
    return (_through(register, words) if words.size else register) ^ _ONES


def masked_crc(crc: int) -> int:
    """The form stored in files, so that the checksum of a checksum is no special case.

    >>> hex(masked(extend(0, b"123456789")))
    '0xc78ab0e5'
    """
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & _ONES


def _through(register: int, words: np.ndarray) -> int:
    """The register after uint32 words [n], n > 0; zeros put in front of a message do not count."""
    width = min(_WIDTH, 1 << (words.size - 1).bit_length())
    first = words.size % width or width
    row = np.zeros(width, np.uint32)
    row[-first:] = words[:first]
    row[-first] ^= np.uint32(register)
    row = _folded(row, words[first:].reshape(-1, width))
    while row.size > 1:
        half = row.size // 2
        row = _times(_moved_on(half), row[:half]) ^ row[half:]
    return int(_times(_moved_on(1), row)[0])


def _folded(row: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """One row [width] with the checksum of `row` followed by `rows` [n, width], all uint32."""
    if not len(rows):
        return row
    low, high = _tables(row.size)
    left, index = np.empty_like(row), np.empty(row.size, np.intp)  # reused: twice as fast
    for following in rows:
        np.bitwise_and(row, 0xFFFF, out=index, casting="unsafe")
        low.take(index, out=left, mode="clip")
        np.right_shift(row, 16, out=index, casting="unsafe")
        high.take(index, out=row, mode="clip")
        row ^= left
        row ^= following
    return row


@cache
def _tables(words: int) -> tuple[np.ndarray, np.ndarray]:
    """What the low and the high 16 bits of a register become, `words` words later: [65536] each."""
    halves = np.arange(1 << 16, dtype=np.uint32)
    return _times(_moved_on(words), halves), _times(_moved_on(words), halves << 16)


@cache
def _moved_on(words: int) -> np.ndarray:
    """The matrix, uint32 [32], one column a bit, that moves on by a power of two of zero words."""
    if words == 1:
        return np.array([_clock(1 << bit, bits=32) for bit in range(32)], np.uint32)
    half = _moved_on(words // 2)
    return _times(half, half)


def _times(matrix: np.ndarray, registers: np.ndarray) -> np.ndarray:
    """matrix [32] times each of the registers [n], over GF(2)."""
    bits = registers[:, None] >> np.arange(32, dtype=np.uint32) & np.uint32(1)
    bits *= matrix
    return np.bitwise_xor.reduce(bits, axis=1)


def _clock(register: int, bits: int) -> int:
    """The register after so many zero bits."""
    for _ in range(bits):
        register = (register >> 1) ^ (_POLYNOMIAL if register & 1 else 0)
    return register
