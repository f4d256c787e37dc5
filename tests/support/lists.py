"""Transform lists that people copy, and how near to the original's their answers have to be."""

from __future__ import annotations

from estimator_slim.options import DEFAULT
from tests.support.alike import nearly

LOSSLESS = ("strip_unused_nodes remove_nodes(op=Identity) fold_constants merge_duplicate_nodes "
            "sort_by_execution_order")
RECIPE = ("remove_nodes(op=Identity) merge_duplicate_nodes strip_unused_nodes "
          "fold_constants(ignore_errors=true) fold_batch_norms")
SIMPLIFIED = DEFAULT.replace(" quantize_weights", "")
EXACT = {"empty": "", "lossless": LOSSLESS, "recipe": RECIPE, "simplified": SIMPLIFIED}
LOSSY = {"quantize_weights": ("quantize_weights", nearly(0.05)), "default": (DEFAULT, nearly(0.05)),
         # One range for all inputs of a batch: what large inputs cancel to is as far off as they are.
         "quantize_nodes": ("quantize_nodes quantize_weights", nearly(0.3))}
