"""File systems that only the calling process sees: a small one, a read-only one. For Linux.

Made in a mount namespace of its own, which root may have or, where the system allows it, any user; it
ends with the process. Call them in a process with one thread, such as a newly forked one.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_NEW_NAMESPACE, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18


def mount_small(folder: Path, size: int) -> None:
    """Puts an empty file system of `size` bytes at `folder`.

    Raises:
      OSError: this is not permitted.
    """
    _own_namespace()
    _mount(b"tmpfs", folder, b"tmpfs", 0, f"size={size}".encode())


def mount_read_only(folder: Path) -> None:
    """Makes `folder` and all that is below it read-only.

    Raises:
      OSError: this is not permitted.
    """
    _own_namespace()
    _mount(os.fsencode(folder), folder, None, _BIND, None)
    _mount(b"none", folder, None, _BIND | _REMOUNT | _READ_ONLY, None)


def _own_namespace() -> None:
    user, group = os.getuid(), os.getgid()
    _check(_libc().unshare(_NEW_NAMESPACE if user == 0 else _NEW_NAMESPACE | _NEW_USER))
    if user:
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount(b"none", Path("/"), None, _RECURSIVE | _PRIVATE, None)


def _mount(source: bytes, folder: Path, kind: bytes | None, flags: int, data: bytes | None) -> None:
    _check(_libc().mount(source, os.fsencode(folder), kind, ctypes.c_ulong(flags), data))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
