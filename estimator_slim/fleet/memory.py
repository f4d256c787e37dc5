"""How much memory optimizing takes, and how much there is.

Tables are read in slices, so the process that optimizes takes little. The one that verifies is told how
much it may take, and leaves tables in their files where that is too little.
"""

from __future__ import annotations

from estimator_slim.free_memory import free_memory

PROCESSES = 1_200_000_000  # bytes of the two processes that work on a small servable
_ROOM = 200_000_000        # of these, beside TensorFlow's own
_OF_ALL = 0.8              # of what is available
_WHERE_UNKNOWN = 4_000_000_000  # bytes, where the system does not tell what is free


def needed_memory(byte_count: int) -> int:
    """Bytes of memory for an original of so many bytes."""
    return PROCESSES + byte_count


def room_to_verify(byte_count: int, memory: int) -> int:
    """Bytes that verifying it may take, beside TensorFlow's own, of what all processes may take."""
    return max(_ROOM, min(needed_memory(byte_count), memory) - PROCESSES + _ROOM)


def available_memory() -> int:
    """Bytes of memory to be used: most of what this machine, or this container, has left."""
    free = free_memory()
    return int(_OF_ALL * (_WHERE_UNKNOWN if free is None else free))
