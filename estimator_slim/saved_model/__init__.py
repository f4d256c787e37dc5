"""A SavedModel's directory: read, found to be sound, written, published."""

from estimator_slim.saved_model.another_graph import rewritten
from estimator_slim.saved_model.copying import is_copy, publish_copy
from estimator_slim.saved_model.files import ASSET_FOLDERS, copy_assets
from estimator_slim.saved_model.fingerprint import fingerprint_of
from estimator_slim.saved_model.meta_graph import interface_of
from estimator_slim.saved_model.publish import published, withdraw
from estimator_slim.saved_model.reader import (
    Servable,
    graph_file,
    is_marked,
    meta_graph_of,
    read_servable,
    require_importable,
)
from estimator_slim.saved_model.soundness import faults
from estimator_slim.saved_model.temporary import (
    is_being_written,
    remove_abandoned,
    remove_contents,
    temporary_folder,
)
from estimator_slim.saved_model.writer import write_servable

__all__ = [
    "ASSET_FOLDERS",
    "Servable",
    "copy_assets",
    "faults",
    "fingerprint_of",
    "graph_file",
    "interface_of",
    "is_being_written",
    "is_copy",
    "is_marked",
    "meta_graph_of",
    "publish_copy",
    "published",
    "read_servable",
    "remove_abandoned",
    "remove_contents",
    "require_importable",
    "rewritten",
    "temporary_folder",
    "withdraw",
    "write_servable",
]
