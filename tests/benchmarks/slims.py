"""The slim servables that the steps compare: which there are, how one is made and measured."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

from estimator_slim.presets import DEFAULT
from estimator_slim.transforms import transform_list

HERE = os.path.dirname(os.path.abspath(__file__))
LISTS = {
    "lossless": " ".join(str(t) for t in transform_list(DEFAULT) if not t.lossy),
    "8 bits": DEFAULT,
    "4 bits": DEFAULT.replace("quantize_weights", "quantize_weights(bits=4)"),
    "16 bits": DEFAULT.replace("quantize_weights", "quantize_weights(bits=16)"),
}


def original(folder: str) -> str:
    """FOLDER/export/<version>, the only version there is."""
    [version] = os.listdir(os.path.join(folder, "export"))
    return os.path.join(folder, "export", version)


def slim_path(options: argparse.Namespace, name: str) -> str:
    return os.path.join(options.work, "slims", name.replace(" ", "_"))


def slims(options: argparse.Namespace) -> dict[str, str]:
    """The slim servables of the benchmark servable by name; those missing are made."""
    paths = {name: slim_path(options, name) for name in LISTS}
    for name, path in paths.items():
        if not os.path.exists(path):
            optimized(original(options.servable), path, LISTS[name])
    return paths


def remove_slims(options: argparse.Namespace) -> None:
    shutil.rmtree(os.path.join(options.work, "slims"), ignore_errors=True)


def optimized(source: str, destination: str, transforms: str, checkpoint: str = "") -> dict[str, float]:
    """Optimizes in a fresh process, over what is at `destination`; returns what it took."""
    shutil.rmtree(destination, ignore_errors=True)
    os.makedirs(os.path.dirname(destination), exist_ok=True)
    command = [sys.executable, os.path.join(HERE, "optimize_once.py"), source, destination, transforms,
               checkpoint]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"optimizing {source} with {transforms!r} failed:\n{process.stderr[-4000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def medians(samples: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}


def size(directory: str) -> int:
    return sum(os.path.getsize(os.path.join(folder, file))
               for folder, _, files in os.walk(directory) for file in files)
