"""The files beside the graph: `assets/`, which the init op reads, and `assets.extra/` (warm-up)."""

from __future__ import annotations

import os

import tensorflow as tf

from estimator_slim.errors import SourceError

FOLDERS = ("assets", "assets.extra")


def copy_assets(source: str, target: str, asset_names: list[str]) -> None:
    """Copies the asset folders of SavedModel `source` into `target`, in their own structure.

    Raises:
      SourceError: a file that the graph names as an asset is missing, its name leads out of the folder
        or is no file name, or a file cannot be read.
    """
    for name in asset_names:
        _check(source, name)
    for folder in FOLDERS:
        for path, _, files in tf.io.gfile.walk(os.path.join(source, folder)):
            inside = os.path.relpath(path, source)
            if files:
                tf.io.gfile.makedirs(os.path.join(target, inside))
            for file in files:
                _copy(os.path.join(path, file), os.path.join(target, inside, file))
    for name in asset_names:
        if not tf.io.gfile.exists(os.path.join(target, "assets", name)):
            raise SourceError(f"{source}: its asset file assets/{name} disappeared while it was copied; "
                              "keep an export until it is optimized")


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


def _copy(source: str, target: str) -> None:
    try:
        tf.io.gfile.copy(source, target)
    except tf.errors.OpError as e:
        if target in e.message:
            raise
        raise SourceError(f"{source} cannot be copied ({e.message}); check that the servable is there "
                          "and that this user may read it") from e
