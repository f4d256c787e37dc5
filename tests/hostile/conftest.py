"""Fixtures of the hostile inputs: a sound servable, to be damaged by each test in its own way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def source(trained_with_extras: str, tmp_path: Path) -> Path:
    """A DNNClassifier over a vocabulary file, with a warm-up file."""
    return Path(shutil.copytree(trained_with_extras, tmp_path / "source"))
