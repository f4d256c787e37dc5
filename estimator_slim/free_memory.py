"""How much memory is left to this process: of its container, where it is in one, and of the machine.

A container is a group of processes (cgroup) with a limit, version 1 or 2 of them, inside of others that
may have limits, too. What files keep in memory can be given back, so half of what was read lately and
all of the rest counts as free.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class _Version:
    """How the files of a group are named: of its limit, of what it uses, and in its memory.stat."""

    limit: str
    usage: str
    inactive: str
    active: str


_VERSIONS = {
    "cgroup": _Version("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                       "total_active_file"),
    "cgroup2": _Version("memory.max", "memory.current", "inactive_file", "active_file")}
_NO_LIMIT = 1 << 60  # bytes; version 1 says so by a number near 2**63


def free_memory(root: str = "/") -> int | None:
    """Bytes that this process may still take; None where the system does not tell.

    `root`: where /proc and the folders of groups are.
    """
    known = [*_of_groups(Path(root)), *_of_machine(Path(root))]
    return max(0, min(known)) if known else None


def _of_groups(root: Path) -> Iterator[int]:
    """Of each group that this process is in and that has a limit."""
    for kind, mounted, above in _mounted(root):
        group = _group(root, kind)
        if group is None:
            continue
        inside = group.relative_to(above) if group.is_relative_to(above) else PurePosixPath()
        folder = root / mounted.relative_to("/") / inside
        for one in (folder, *list(folder.parents)[:len(inside.parts)]):
            yield from _of_group(one, _VERSIONS[kind])


def _of_group(folder: Path, version: _Version) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):  # `max` is no number: there is no limit
        limit = int((folder / version.limit).read_text())
        used = int((folder / version.usage).read_text())
        if limit < _NO_LIMIT:
            stat = _numbers(folder / "memory.stat")
            yield limit - used + stat.get(version.inactive, 0) + stat.get(version.active, 0) // 2


def _of_machine(root: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        found = _numbers(root / "proc/meminfo")
        if "MemAvailable:" in found:
            yield 1024 * found["MemAvailable:"]


def _numbers(path: Path) -> dict[str, int]:
    """The first number of each line, by what stands before it."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _mounted(root: Path) -> Iterator[tuple[str, PurePosixPath, PurePosixPath]]:
    """(kind, where, which group is there) of each place where groups of memory are mounted."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            place, mount = before.split(), after.split()
            kind, controllers = mount[0], mount[-1].split(",")
            if kind == "cgroup2" or (kind == "cgroup" and "memory" in controllers):
                yield kind, PurePosixPath(place[4]), PurePosixPath(place[3])


def _group(root: Path, kind: str) -> PurePosixPath | None:
    """The group of this process: `9:memory:/a/b` or, of version 2, `0::/a/b`."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if (controllers == "") if kind == "cgroup2" else ("memory" in controllers.split(",")):
                return PurePosixPath(path)
    return None
