"""Float operations as eight-bit ones."""

from estimator_slim.transforms.eight_bits.freeze_requantization_ranges import FreezeRequantizationRanges
from estimator_slim.transforms.eight_bits.quantize_nodes import QuantizeNodes

__all__ = [
    "FreezeRequantizationRanges",
    "QuantizeNodes",
]
