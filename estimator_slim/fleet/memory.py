"""How much memory optimizing takes, and how much there is.

Tables are read in slices, so this process takes little; the one that verifies has the original in
memory.
"""

from __future__ import annotations

import contextlib
import os

PROCESSES = 1_000_000_000  # bytes that TensorFlow takes in the two processes that work on a servable
_OF_AN_ORIGINAL = 1.5      # that its verification takes: once as it is served, and what loading it takes
_OF_ALL = 0.8              # of what is available
_CGROUP = "/sys/fs/cgroup"
_OF_CONTAINERS = ((f"{_CGROUP}/memory.max", f"{_CGROUP}/memory.current"),
                  (f"{_CGROUP}/memory/memory.limit_in_bytes", f"{_CGROUP}/memory/memory.usage_in_bytes"))


def needed_memory(byte_count: int) -> int:
    """Bytes of memory for an original of so many bytes."""
    return PROCESSES + int(_OF_AN_ORIGINAL * byte_count)


def available_memory() -> int:
    """Bytes of memory to be used: most of what this machine, or this container, has left."""
    left = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/meminfo", "rb") as file:
        left.append(int(file.read().split(b"MemAvailable:")[1].split()[0]) * 1024)
    for most, now in _OF_CONTAINERS:
        with contextlib.suppress(OSError, ValueError), open(most) as limit, open(now) as used:
            left.append(int(limit.read()) - int(used.read()))
    return int(_OF_ALL * max(0, min(left)))
