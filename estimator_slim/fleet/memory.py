"""How much memory optimizing takes, and how much there is.

Tables are read in slices, so this process takes little; the one that verifies has the original in
memory.
"""

from __future__ import annotations

from estimator_slim.free_memory import free_memory

PROCESSES = 1_000_000_000  # bytes that TensorFlow takes in the two processes that work on a servable
_OF_AN_ORIGINAL = 1.5      # that its verification takes: once as it is served, and what loading it takes
_OF_ALL = 0.8              # of what is available
_WHERE_UNKNOWN = 4_000_000_000  # bytes, where the system does not tell what is free


def needed_memory(byte_count: int) -> int:
    """Bytes of memory for an original of so many bytes."""
    return PROCESSES + int(_OF_AN_ORIGINAL * byte_count)


def available_memory() -> int:
    """Bytes of memory to be used: most of what this machine, or this container, has left."""
    free = free_memory()
    return int(_OF_ALL * (_WHERE_UNKNOWN if free is None else free))
