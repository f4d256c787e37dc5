"""The arithmetic of codes, scales and offsets: numpy only."""

from estimator_slim.quantization.blocks import (
    VALUES_PER_BLOCK,
    Sharing,
    decode_blocks,
    encode_blocks,
    fit_blocks,
    rows_per_block,
)
from estimator_slim.quantization.feedback import Feedback, encode_with_feedback, feedback_for
from estimator_slim.quantization.fit import (
    NonFiniteError,
    TableRange,
    fit_rows,
    gains_from_offset,
    has_least_scale,
)
from estimator_slim.quantization.grid import Grid, decode, encode
from estimator_slim.quantization.nibbles import pack_nibbles, packed_width, unpack_nibbles
from estimator_slim.quantization.precision import (
    PrecisionError,
    require_float16,
    require_precision,
    to_float16,
)

__all__ = [
    "Feedback",
    "Grid",
    "NonFiniteError",
    "PrecisionError",
    "Sharing",
    "TableRange",
    "VALUES_PER_BLOCK",
    "decode",
    "decode_blocks",
    "encode",
    "encode_blocks",
    "encode_with_feedback",
    "feedback_for",
    "fit_blocks",
    "fit_rows",
    "gains_from_offset",
    "has_least_scale",
    "pack_nibbles",
    "packed_width",
    "require_float16",
    "require_precision",
    "rows_per_block",
    "to_float16",
    "unpack_nibbles",
]
