"""What is free: of every container that this process is in, and of the machine, whichever is least."""

from __future__ import annotations

from pathlib import Path

import pytest

from estimator_slim.free_memory import free_memory

GB = 10**9
V1 = "35 32 0:32 {root} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
V2 = "31 23 0:28 {root} /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
OTHER = "33 32 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return str(root)


def machine(available: int) -> dict[str, str]:
    return {"proc/meminfo": f"MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable: {available // 1024} kB\n"}


def first(folder: str, limit: int, used: int, inactive: int = 0, active: int = 0) -> dict[str, str]:
    """A group of version 1."""
    place = f"sys/fs/cgroup/memory/{folder}/memory"
    return {f"{place}.limit_in_bytes": f"{limit}\n", f"{place}.usage_in_bytes": f"{used}\n",
            f"{place}.stat": f"cache 5\ninactive_file 7\ntotal_inactive_file {inactive}\n"
                             f"total_active_file {active}\n"}


def second(folder: str, limit: int | str, used: int, inactive: int = 0,
           active: int = 0) -> dict[str, str]:
    """A group of version 2."""
    place = f"sys/fs/cgroup/{folder}/memory"
    return {f"{place}.max": f"{limit}\n", f"{place}.current": f"{used}\n",
            f"{place}.stat": f"anon 5\ninactive_file {inactive}\nactive_file {active}\n"}


def joined(*parts: dict[str, str]) -> dict[str, str]:
    return {key: text for part in parts for key, text in part.items()}


def of_version_1(root: str, group: str) -> dict[str, str]:
    return {"proc/self/mountinfo": OTHER + V1.format(root=root),
            "proc/self/cgroup": f"5:cpu:/x\n9:memory:{group}\n0::/\n"}


def of_version_2(root: str, group: str) -> dict[str, str]:
    return {"proc/self/mountinfo": V2.format(root=root), "proc/self/cgroup": f"0::{group}\n"}


@pytest.mark.parametrize("files, free", [
    (machine(7 * GB), 7 * GB),
    (joined(machine(20 * GB), of_version_1("/", "/pod/a"), first("pod/a", 8 * GB, 5 * GB)), 3 * GB),
    (joined(machine(2 * GB), of_version_1("/", "/pod/a"), first("pod/a", 8 * GB, 5 * GB)), 2 * GB),
    (joined(machine(20 * GB), of_version_1("/", "/pod/a"), first("pod/a", 2**63 - 4096, 5 * GB),
            first("pod", 6 * GB, 5 * GB)), GB),
    (joined(machine(20 * GB), of_version_1("/docker/ab", "/docker/ab"), first(".", 4 * GB, GB)), 3 * GB),
    (joined(machine(20 * GB), of_version_1("/", "/pod"), first("pod", 8 * GB, 7 * GB, 2 * GB, 2 * GB)),
     4 * GB),
    (joined(machine(20 * GB), of_version_2("/", "/"), second(".", 8 * GB, 5 * GB)), 3 * GB),
    (joined(machine(20 * GB), of_version_2("/", "/a/b"), second("a/b", "max", 5 * GB),
            second("a", 6 * GB, 5 * GB, GB, GB)), 2.5 * GB),
    (joined(machine(20 * GB), of_version_2("/", "/a"), second("a", "max", 5 * GB)), 20 * GB),
    (joined(machine(20 * GB), of_version_2("/", "/a"), second("a", GB, 5 * GB)), 0),
], ids=["no container", "version 1", "the machine has less", "a group around it has less",
        "seen from within", "files can be given back", "version 2", "version 2, a group around it",
        "version 2, no limit", "over its limit"])
def test_what_is_free_is_the_least_of_what_each_leaves(tmp_path: Path, files: dict, free: int) -> None:
    assert free_memory(write(tmp_path, files)) == pytest.approx(free, abs=1024)


def test_a_system_that_does_not_tell_gives_no_number(tmp_path: Path) -> None:
    assert free_memory(str(tmp_path)) is None


def test_this_machine_tells(tmp_path: Path) -> None:
    assert free_memory() is not None
