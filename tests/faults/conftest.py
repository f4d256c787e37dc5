"""Scenes: a trained model and two exports of it with their slim twins, made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import exporting


@pytest.fixture(scope="session")
def first_scene(once: Callable) -> Path:
    def make(folder: Path) -> Path:
        exporting.make_scene(folder)
        return folder
    return once("scene", make)


@pytest.fixture
def scene(first_scene: Path, tmp_path: Path) -> Callable[[str], Path]:
    """`scene(name)`: a new copy of the scene."""
    def copied(name: str = "scene") -> Path:
        return Path(shutil.copytree(first_scene, tmp_path / name))
    return copied
