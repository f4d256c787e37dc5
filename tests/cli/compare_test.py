"""estimator-slim compare judges by the list that made the slim servable, which its record tells of."""

from __future__ import annotations

from pathlib import Path

from estimator_slim import optimize_saved_model
from estimator_slim.cli import exit_codes
from tests.presets_test import made  # noqa: F401
from tests.support.processes import run_python
from tests.transforms.rows.drop_untrained_rows_test import Made


def test_a_slim_servable_without_its_untrained_rows_is_judged_as_when_it_was_made(
        made: Made, tmp_path: Path) -> None:  # noqa: F811
    slim = tmp_path / "slim" / "1"
    optimize_saved_model(made.export, slim, preset="smallest", checkpoint=made.model_dir)
    done = run_python("-m", "estimator_slim", "compare", "--no-memory", made.export, slim)
    assert done.returncode == exit_codes.DONE, done.stdout + done.stderr
    assert "hang on rows that were never trained" in done.stdout
