"""The files beside the graph: `assets/`, which the init op reads, and `assets.extra/` (warm-up)."""

from __future__ import annotations

import os

import tensorflow as tf

from estimator_slim.errors import SourceError

FOLDERS = ("assets", "assets.extra")


def copy_assets(source: str, target: str, asset_names: list[str]) -> None:
    """Copies the asset folders of SavedModel `source` into `target`, in their own structure.

    Raises:
      SourceError: a file that the graph names as an asset is missing, or its name leads out of the
        folder.
    """
    for name in asset_names:
        if os.path.isabs(name) or ".." in name.split("/"):
            raise SourceError(f"{source}: the asset name {name!r} leads out of its assets folder; "
                              "such a servable is not copied")
        if not tf.io.gfile.exists(os.path.join(source, "assets", name)):
            raise SourceError(f"{source}: its asset file assets/{name} is missing; export it again")
    for folder in FOLDERS:
        for path, _, files in tf.io.gfile.walk(os.path.join(source, folder)):
            inside = os.path.relpath(path, source)
            if files:
                tf.io.gfile.makedirs(os.path.join(target, inside))
            for file in files:
                tf.io.gfile.copy(os.path.join(path, file), os.path.join(target, inside, file))
