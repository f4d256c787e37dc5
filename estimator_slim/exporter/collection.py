"""Garbage collection: a slim version and its record go when their original is gone."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from estimator_slim import log
from estimator_slim.layout import Layout
from estimator_slim.record_files import forget, is_same, read_record
from estimator_slim.saved_model import is_copy, is_marked, withdraw
from estimator_slim.twins import names_in


def mirror_collection(original: str, layout: Layout) -> None:
    """Removes what is no longer beside the new `original`: slim versions, and records."""
    slims, place = os.path.dirname(layout.slim(original)), layout.place
    made = _versions(slims)  # before the originals, for another process may add a pair meanwhile
    originals = names_in(os.path.dirname(original))
    if os.path.basename(original) not in originals:
        log.warning("estimator_slim: %s is gone as soon as it was exported, so %s keeps all it has. "
                    "Exporters keep the highest versions: if the clock went back, set it right; if "
                    "the folder was removed, remove the slim one too", original, slims)
        return
    for path in (os.path.join(slims, version) for version in sorted(made - originals)):
        if layout.root and _is_of_another(path, original, place):
            continue
        if is_marked(path) or is_copy(path):
            log.info("estimator_slim: removing %s, whose original is gone", path)
            withdraw(path)
        elif tf.io.gfile.exists(path):  # else another process has removed it
            log.warning("estimator_slim: %s has no original and is no slim servable, so it stays; "
                        "the folder is for slim servables alone: move it, or give another suffix", path)
    forget(slims, originals, place, of=os.path.dirname(original))


def _is_of_another(slim: str, original: str, place: Any) -> bool:
    """Whether a slim version may be of another model, where a root holds the twins of several.

    There, a version is known by its record; what has none stays.
    """
    folder, version = os.path.dirname(original), os.path.basename(slim)
    record = read_record(slim, place)
    return record is None or not is_same(record.source, os.path.join(folder, version))


def _versions(folder: str) -> set[str]:
    """The versions in a folder of exports, by TensorFlow Serving's rule: folders named by a number."""
    if not tf.io.gfile.isdir(folder):
        return set()
    return {name for name in names_in(folder)
            if name.isdigit() and tf.io.gfile.isdir(os.path.join(folder, name))}
