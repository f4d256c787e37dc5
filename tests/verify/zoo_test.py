"""Every model of the zoo, through lists of every kind: what is right is let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from estimator_slim import Verification, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import DEFAULT, allowed_by, transform_list
from estimator_slim.verify.answers.asking import Heard, Job
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.comparison.judging import compare, fixed_outputs
from estimator_slim.verify.questions.sources import questions_for
from estimator_slim.verify.request import Request
from tests.support.models import MODELS

LISTS = {"default": DEFAULT, "lossless": DEFAULT.replace(" quantize_weights", ""),
         "4 bits": "quantize_weights(bits=4)", "16 bits": "quantize_weights(bits=16)",
         "quantize_nodes": "quantize_nodes quantize_weights"}
OTHERS = list(LISTS)[1:]
# Where pixels are in the millions, its activations are too coarse in 256 steps: refusing it is right.
TOO_COARSE = ("conv2d_fused_batch_norm", "quantize_nodes")
# The default list for every model, and one of the others for each in turn.
PAIRS = [(model, name) for number, model in enumerate(MODELS)
         for name in ("default", OTHERS[number % len(OTHERS)]) if (model, name) != TOO_COARSE]


@dataclass
class Zoo:
    """Every model's questions, what the originals and their slim servables answered, what is fixed."""

    requests: dict[str, list[Request]] = field(default_factory=dict)
    fixed: dict[str, frozenset] = field(default_factory=dict)
    heard: dict[tuple[str, str], Heard] = field(default_factory=dict)

    def compared(self, model: str, name: str) -> Verification:
        return compare(self.requests[model], self.heard[model, "original"], self.heard[model, name],
                       allowed_by(transform_list(LISTS[name])), fixed=self.fixed[model])


@pytest.fixture(scope="module")
def zoo(exported: Callable, tmp_path_factory: Any) -> Zoo:
    """Asks all of them in one process."""
    folder, zoo, jobs = tmp_path_factory.mktemp("zoo"), Zoo(), {}
    for model in MODELS:
        servable = read_servable(exported(model))
        zoo.requests[model], zoo.fixed[model] = questions_for(servable), fixed_outputs(servable.graph)
        jobs[model, "original"] = exported(model)
        for name in (name for one, name in PAIRS if one == model):
            jobs[model, name] = str(folder / model / name)
            optimize_saved_model(exported(model), jobs[model, name], LISTS[name], verify="off")
    heard = ask([Job(directory, zoo.requests[model], grappler=False)
                 for (model, _), directory in jobs.items()], seconds=1800.0)
    zoo.heard = dict(zip(jobs, heard))
    return zoo


@pytest.mark.parametrize("model, name", PAIRS)
def test_a_slim_servable_as_it_should_be_passes(zoo: Zoo, model: str, name: str) -> None:
    found = zoo.compared(model, name)
    assert found.answered > 0
    assert found.unverified == ()
    assert found.failures == ()
