"""Every model of the zoo, through every kind of list: what is right is let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from models import MODELS

from estimator_slim import Verification, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import DEFAULT, transform_list
from estimator_slim.verify.asking import Heard, Job
from estimator_slim.verify.bounds import bounds
from estimator_slim.verify.child import ask
from estimator_slim.verify.comparison import compare
from estimator_slim.verify.dependence import fixed_outputs
from estimator_slim.verify.request import Request
from estimator_slim.verify.requests import questions

QUANTIZE_NODES = "quantize_nodes quantize_weights"
LISTS = {"lossless": DEFAULT.replace(" quantize_weights", ""), "default": DEFAULT,
         "4 bits": "quantize_weights(bits=4)", "16 bits": "quantize_weights(bits=16)",
         "quantize_nodes": QUANTIZE_NODES}
# One range for all numbers of a batch: among made-up numbers of a hundred sizes small ones are lost.
LOST = {("conv2d_keras_separable_unfused", "quantize_nodes")}


@dataclass
class Zoo:
    """Every model's questions, what the originals and their slim servables answered, what is fixed."""

    requests: dict[str, list[Request]] = field(default_factory=dict)
    fixed: dict[str, frozenset] = field(default_factory=dict)
    heard: dict[tuple[str, str], Heard] = field(default_factory=dict)

    def compared(self, model: str, name: str) -> Verification:
        return compare(self.requests[model], self.heard[model, "original"], self.heard[model, name],
                       bounds(transform_list(LISTS[name])), fixed=self.fixed[model])


@pytest.fixture(scope="module")
def zoo(exported: Callable, tmp_path_factory: Any) -> Zoo:
    """Asks all of them in one process."""
    folder, zoo, jobs = tmp_path_factory.mktemp("zoo"), Zoo(), {}
    for model in MODELS:
        servable = read_servable(exported(model))
        zoo.requests[model], zoo.fixed[model] = questions(servable), fixed_outputs(servable.graph)
        jobs[model, "original"] = exported(model)
        for name, transforms in LISTS.items():
            jobs[model, name] = str(folder / model / name)
            optimize_saved_model(exported(model), jobs[model, name], transforms, verify="off")
    heard = ask([Job(directory, zoo.requests[model], grappler=False)
                 for (model, _), directory in jobs.items()], seconds=1800.0)
    zoo.heard = dict(zip(jobs, heard))
    return zoo


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("model", MODELS)
def test_a_slim_servable_as_it_should_be_passes(zoo: Zoo, model: str, name: str) -> None:
    found = zoo.compared(model, name)
    assert found.answered > 0
    assert found.unverified == ()
    if (model, name) in LOST:
        assert not found.passed
        assert {failure.output for failure in found.failures} == {"logits", "probabilities"}
    else:
        assert found.failures == ()
