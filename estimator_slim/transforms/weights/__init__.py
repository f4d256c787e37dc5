"""How weights are written: as codes, rounded, as constants or as variables."""

from estimator_slim.transforms.weights.placing import place_weights
from estimator_slim.transforms.weights.quantize_weights import QuantizeWeights
from estimator_slim.transforms.weights.round_weights import RoundWeights

__all__ = [
    "QuantizeWeights",
    "RoundWeights",
    "place_weights",
]
