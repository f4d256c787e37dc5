"""The files in a servable's folder: that none of them leads out of it, and copies of its assets.

A link may lead to any file of this machine, whose content would then be copied into a slim servable for
others to read; a pipe or a device never ends; a link to a folder may make a tree without end. So the
whole folder is looked at before anything in it is opened.

Beside the graph and its variables lie `assets/`, which the init op reads, and `assets.extra/`, where
servers look for warm-up requests.
"""

from __future__ import annotations

import os
import stat

import tensorflow as tf

from estimator_slim.errors import SourceError

ASSET_FOLDERS = ("assets", "assets.extra")
_DEEPEST = 64  # folders in each other; more is no servable, and too much for what walks trees


def check_folder(directory: str) -> None:
    """Looks at everything in the folder of a servable on a local disk, and opens nothing.

    Raises:
      SourceError: something in it is neither a file nor a folder, is a link to a folder or to a file
        outside of it, lies too deep, has a name that is no UTF-8, or cannot be looked at.
    """
    if "://" in directory:
        return
    root = os.path.realpath(directory)
    todo = [(root, 1)]
    while todo:
        folder, depth = todo.pop()
        for name, mode in _entries(folder):
            path = os.path.join(folder, name)
            if stat.S_ISDIR(mode) and depth < _DEEPEST:
                todo.append((path, depth + 1))
                continue
            wrong = _what_is_wrong(path, mode, root)
            if wrong:
                shown = os.path.join(directory, os.path.relpath(path, root))
                raise SourceError(f"{ascii(shown)[1:-1]} {wrong}")


def copy_assets(source: str, target: str, asset_names: list[str]) -> None:
    """Copies the asset folders of SavedModel `source` into `target`, in their own structure.

    Raises:
      SourceError: a file that the graph names as an asset is missing, its name leads out of the folder
        or is no file name, or a file cannot be read.
    """
    for name in asset_names:
        _check(source, name)
    for folder in ASSET_FOLDERS:
        for path, _, files in tf.io.gfile.walk(os.path.join(source, folder)):
            inside = os.path.relpath(path, source)
            if files:
                tf.io.gfile.makedirs(os.path.join(target, inside))
            for file in files:
                copy_file(os.path.join(path, file), os.path.join(target, inside, file))
    for name in asset_names:
        if not tf.io.gfile.exists(os.path.join(target, "assets", name)):
            raise SourceError(f"{source}: its asset file assets/{name} disappeared while it was copied; "
                              "keep an export until it is optimized")


def copy_file(source: str, target: str) -> None:
    """Copies a file of a servable. Raises SourceError where it cannot be read."""
    try:
        tf.io.gfile.copy(source, target)
    except tf.errors.OpError as e:
        if target in e.message:
            raise
        raise SourceError(f"{source} cannot be copied ({e.message}); check that the servable is there "
                          "and that this user may read it") from e


def _entries(folder: str) -> list[tuple[str, int]]:
    """(name, mode) of everything in `folder`, links not followed."""
    try:
        with os.scandir(folder) as entries:
            return [(e.name, e.stat(follow_symlinks=False).st_mode) for e in entries]
    except OSError as e:
        raise SourceError(f"{folder} cannot be read ({e}); check that this user may read it") from e


def _what_is_wrong(path: str, mode: int, root: str) -> str:
    """What a servable must not have at `path`, with what to do; "" where it is a file."""
    if not _is_text(os.path.basename(path)):
        return "has a name that is no UTF-8; rename it, or export the model again"
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return f"lies more than {_DEEPEST} folders deep; expected a servable's folder"
    if not stat.S_ISLNK(mode):
        return "is neither a file nor a folder; expected a servable's files. Remove it, or export again"
    target = os.path.realpath(path)
    if os.path.isfile(target) and os.path.commonpath([root, target]) == root:
        return ""
    return (f"is a link to {ascii(target)}; expected a file, or a link to a file of the servable. Copy "
            "the servable with its links followed (cp -rL), and give that copy")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(source: str, name: str) -> None:
    if not name.isprintable():
        raise SourceError(f"{source}: the asset name {name!r} has characters that no asset's name has; "
                          "expected a path of printable ones inside of assets/. Export it again")
    if os.path.isabs(name) or ".." in name.split("/"):
        raise SourceError(f"{source}: the asset name {name!r} leads out of its assets folder; "
                          "such a servable is not copied")
    path = os.path.join(source, "assets", name)
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise SourceError(f"{source}: its asset file assets/{name} is missing; export it again")
