"""freeze_requantization_ranges: ranges as they were seen, instead of measured at every request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from estimator_slim.errors import OptionError, TransformError
from estimator_slim.graph import Graph
from estimator_slim.transforms.engine import NativeTransform

_LOGGED = re.compile(rb";([^;\n]*)__print__;__requant_min_max:\[")


@dataclass(frozen=True)
class FreezeRequantizationRanges(NativeTransform):
    """Replaces each RequantizationRange that quantize_nodes put in by the range that a log has of it.

        Before: QuantizedMatMul ─ RequantizationRange ─ Requantize
        After:  QuantizedMatMul, Const, Const ─ Requantize

    The log is the stderr of a servable that was made with the same transforms and then
    insert_logging(op=RequantizationRange, show_name=true, message="__requant_min_max:"), asked what is
    usual.

    By the engine. Mended: a log that names a node which the graph has not is an error that says which.

    Attributes:
      min_max_log_file: path of the log.
      min_percentile: per cent of the lowest minima to leave out, from 0 to below 50.
      max_percentile: per cent of the highest maxima to leave out, from 0 to below 50.
    """

    text_name: ClassVar[str] = "freeze_requantization_ranges"
    by: ClassVar[str] = "mended"
    lossy: ClassVar[bool] = True
    min_max_log_file: str = ""
    min_percentile: float = 5.0
    max_percentile: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        path = self.min_max_log_file
        if not path or not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
            raise OptionError("freeze_requantization_ranges(min_max_log_file=...) takes the path of a "
                              f"log that insert_logging made, got {path!r}, which is no file")
        for option in ("min_percentile", "max_percentile"):
            if not 0 <= getattr(self, option) < 50:
                raise OptionError(f"freeze_requantization_ranges({option}=...) takes a number from 0 to "
                                  f"below 50, got {getattr(self, option)}")

    def rewrite(self, graph: Graph) -> None:
        with tf.io.gfile.GFile(self.min_max_log_file, "rb") as log:  # a log may hold any bytes
            logged = dict.fromkeys(name.decode(errors="replace") for name in _LOGGED.findall(log.read()))
        for name in logged:
            if name not in graph.nodes or graph.nodes[name].op != "RequantizationRange":
                raise TransformError(f"{self.min_max_log_file} has the range of {name!r}, and the graph "
                                     "no RequantizationRange of that name; make the log with a servable "
                                     "that went through the same transforms")
        if not logged:
            raise TransformError(f"{self.min_max_log_file} has no ranges; make it with "
                                 "insert_logging(op=RequantizationRange, show_name=true, "
                                 'message="__requant_min_max:")')
        super().rewrite(graph)
