"""Which servables are meant, and where each goes.

    models/*/export/best/*  --out slim   →   slim/a/export/best/1700000000, slim/b/export/best/...

Below the folder that is written to, a servable keeps its path from the folder that all sources have in
common, patterns up to their first wildcard: so a model that is added later moves no other.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from estimator_slim.errors import OptionError, SourceError
from estimator_slim.layout import slim_directory
from estimator_slim.options import Options
from estimator_slim.saved_model import graph_file, is_marked
from estimator_slim.whereabouts import require_reachable
from estimator_slim.work import bytes_of

QUESTIONS_AT_ONCE = 16  # questions to a store
_WILDCARD = re.compile(r"[*?\[]")


def is_pattern(path: str) -> bool:
    """Whether a path stands for all that match it, as `export/*`, and names nothing itself."""
    return bool(_WILDCARD.search(path)) and not tf.io.gfile.exists(path)


def servables(sources: Iterable[str], patience: int) -> dict[str, int]:
    """Directory → bytes of its files, of all that is meant, each once and in the order given.

    A pattern stands for the originals that it matches: what is no SavedModel, what an exporter has not
    finished and what is a slim servable is passed over. A path that is no pattern is taken as it is.

    Raises:
      SourceError: a pattern matches no original, or its file system does not answer in `patience`
        seconds, or nobody knows it.
    """
    found: dict[str, int] = {}
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as threads:
        for source in sources:
            require_reachable(_fixed(source), SourceError, patience)
            originals = _originals(source, threads)
            found.update(zip(originals, threads.map(_bytes, originals)))
    return found


def _originals(source: str, threads: ThreadPoolExecutor) -> list[str]:
    """What a path or pattern stands for."""
    try:
        if not is_pattern(source):
            return [source]
        matching = sorted(path.rstrip("/") for path in tf.io.gfile.glob(source))
        originals = list(itertools.compress(matching, threads.map(_is_original, matching)))
    except tf.errors.OpError as e:
        raise SourceError(f"{source} cannot be looked at ({e.message}); check that it is there and that "
                          "this user may read it") from e
    if not originals:
        raise SourceError(f"{source} matches no folder of an exported version (of {len(matching)} that "
                          "match, none has a saved_model.pb of an original); give the pattern of such "
                          "folders, in quotes, as 'models/*/export/best/*'")
    return originals


def shared_folder(sources: Sequence[str]) -> str:
    """The deepest folder that all sources are in, patterns up to their first wildcard.

    Raises:
      OptionError: there is none, as for sources in two stores.
    """
    parts = [_split(_fixed(source) if is_pattern(source) else os.path.dirname(source))
             for source in sources]
    shared = [level[0] for level in itertools.takewhile(lambda level: len({*level}) == 1, zip(*parts))]
    if not shared:
        raise OptionError(f"{sources[0]} and others have no folder in common, below which each could "
                          "keep its path; run once for each store")
    return "/".join(shared)


def _fixed(source: str) -> str:
    """The folder in front of the first wildcard of a path."""
    return os.path.dirname(_WILDCARD.split(source)[0])


def destination_in(out: str, source: str, relative_to: str) -> str:
    """Where the slim servable of `source` goes below `out`: at its path from `relative_to`.

    Raises:
      OptionError: it is not in there.
    """
    path, folder = _split(source), _split(relative_to)
    if path[:len(folder)] != folder or len(path) == len(folder):
        raise OptionError(f"relative_to: expected a folder that {source} is in, got {relative_to}")
    return os.path.join(out, *path[len(folder):])


def destination_of(source: str, out: str | None, relative_to: str, options: Options) -> str:
    """Where a slim servable goes: below `out`, or beside its original where that is None."""
    if out is None:
        return slim_directory(source, options.suffix, options.root)
    return destination_in(out, source, relative_to)


def _split(path: str) -> list[str]:
    """The folders of an absolute path; a store's name goes with its scheme: `['s3://bucket', 'a']`."""
    scheme, mark, rest = path.rpartition("://")
    names = (rest if mark else os.path.abspath(path)).split("/")
    return [f"{scheme}{mark}{names[0]}", *(name for name in names[1:] if name)]


def _is_original(path: str) -> bool:
    unfinished = os.path.basename(path).startswith("temp-")
    return not unfinished and graph_file(path) is not None and not is_marked(path)


def _bytes(source: str) -> int:
    """0 where it cannot be told; what is wrong with it is found when it is optimized."""
    try:
        return bytes_of(source)
    except SourceError:
        return 0
