"""What a servable promises whoever loads it, and its files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tensorflow.python.saved_model import loader_impl

from tests.support.ask import served


def meta_graph(directory: str, tags: Sequence[str] = ("serve",)) -> Any:
    """The MetaGraph with these tags, from saved_model.pb or .pbtxt."""
    saved = loader_impl.parse_saved_model(directory)
    return next(m for m in saved.meta_graphs if set(m.meta_info_def.tags) == set(tags))


def signatures(directory: str, tags: Sequence[str] = ("serve",)) -> dict:
    """Signature → method, and the type and shape of each input and output."""
    return {key: (s.method_name, _types(s.inputs), _types(s.outputs))
            for key, s in served(meta_graph(directory, tags)).items()}


def table_initializers(directory: str, tags: Sequence[str] = ("serve",)) -> list[str]:
    """The nodes that loaders run one by one."""
    return list(meta_graph(directory, tags).collection_def["table_initializer"].node_list.value)


def files(directory: str, folder: str) -> dict[str, bytes]:
    """Path → content of everything in `folder` of a servable."""
    result = {}
    for parent, _, names in os.walk(os.path.join(directory, folder)):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                result[os.path.relpath(path, directory)] = file.read()
    return result


def _types(tensors: Any) -> dict:
    return {key: (info.WhichOneof("encoding"), info.dtype, str(info.tensor_shape))
            for key, info in tensors.items()}
