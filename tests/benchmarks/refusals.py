"""Which right slim servables verification refuses: every test model by every usual list.

One row a list: how many models, how many were refused, and of how many some made-up rows were let pass
though they are farther off than is allowed. Then each that was refused, with the reason. Goal: none, but
for quantize_nodes where pixels are in the millions: its activations have 256 steps.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import defaultdict

from markdown_table import show

from estimator_slim import Verification, optimize_saved_model
from estimator_slim.options import DEFAULT
from estimator_slim.saved_model import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify import Original, questions_for

LISTS = {
    "lossless": DEFAULT.replace(" quantize_weights", ""),
    "default": DEFAULT,
    "4 bits": DEFAULT.replace("quantize_weights", "quantize_weights(bits=4)"),
    "16 bits": DEFAULT.replace("quantize_weights", "quantize_weights(bits=16)"),
    "quantize_nodes": "quantize_nodes quantize_weights",
}


def run(options: argparse.Namespace) -> None:
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from tests.support.models import MODELS

    found: dict[str, dict[str, Verification]] = defaultdict(dict)
    for number, (name, model) in enumerate(MODELS.items()):
        folder = os.path.join(options.work, "refusals", name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for label, verification in _compared(os.fsdecode(model.build(folder)), folder).items():
            found[label][name] = verification
        shutil.rmtree(folder)
        print(f"({number + 1} of {len(MODELS)}: {name})", file=sys.stderr, flush=True)
    show(f"Slim servables of {len(MODELS)} models, each as it should be (goal: none refused)",
         ["list", "asked", "refused", "with rows beyond"],
         [[label, len(those), sum(not one.passed for one in those.values()),
           sum(_beyond(one) for one in those.values())] for label, those in found.items()])
    show("Those that are refused", ["model", "list", "why"],
         [[name, label, str(one.failures[0]).split(";")[0]] for label, those in found.items()
          for name, one in those.items() if not one.passed])


def _compared(source: str, folder: str) -> dict[str, Verification]:
    servable = read_servable(source)
    original = Original(servable, questions_for(servable))
    found = {}
    for label, transforms in LISTS.items():
        slim = os.path.join(folder, label.replace(" ", "_"))
        optimize_saved_model(source, slim, transforms, verify="off", fallback=False)
        found[label] = original.compare(slim, allowed_by(transform_list(transforms)))
    return found


def _beyond(found: Verification) -> bool:
    return any(part.beyond for one in found.outputs for part in (one.examples, one.made_up) if part)
