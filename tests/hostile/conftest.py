"""Fixtures of the hostile inputs: a sound servable, to be damaged by each test in its own way."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.training import export


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: Any) -> str:
    """A DNNClassifier over a vocabulary file, in partitioned variables, with a warm-up file."""
    folder = tmp_path_factory.mktemp("classifier")
    records = folder / "records"
    records.write_bytes(b"\0records\xff")
    return export(folder, assets_extra={"tf_serving_warmup_requests": str(records),
                                        "notes/of/mine.txt": str(records)})


@pytest.fixture
def source(classifier: str, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(classifier, tmp_path / "source"))
