"""Which rows of a table are kept, and how requests find them."""

from estimator_slim.transforms.rows.drop_untrained_rows import DropUntrainedRows
from estimator_slim.transforms.rows.identical_rows import MergeIdenticalRows, SparsifyGather
from estimator_slim.transforms.rows.index import kept_ids, send_to_first_row

__all__ = [
    "DropUntrainedRows",
    "MergeIdenticalRows",
    "SparsifyGather",
    "kept_ids",
    "send_to_first_row",
]
