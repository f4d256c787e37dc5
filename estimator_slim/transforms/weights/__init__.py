"""How weights are written: as codes, rounded, as constants or as variables."""

from estimator_slim.transforms.weights._choices import CHOICES, with_choices
from estimator_slim.transforms.weights.placing import place_weights
from estimator_slim.transforms.weights.quantize_weights import QuantizeWeights
from estimator_slim.transforms.weights.reduce_rank import ReduceRank
from estimator_slim.transforms.weights.round_weights import RoundWeights

__all__ = [
    "CHOICES",
    "QuantizeWeights",
    "ReduceRank",
    "RoundWeights",
    "place_weights",
    "with_choices",
]
