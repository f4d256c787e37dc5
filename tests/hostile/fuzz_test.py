"""Servables mutated at random: each is refused in a sentence, or optimized into one that loads alike."""

from __future__ import annotations

from pathlib import Path

from fuzz import fuzz, is_failure
from originals import make_originals


def test_mutated_servables_are_refused_or_answer_as_their_originals(tmp_path: Path) -> None:
    make_originals(tmp_path)
    results = list(fuzz(tmp_path, 0, seconds=45))
    assert len({result["outcome"] for result in results}) > 1, "nothing or everything was refused"
    assert not [result for result in results if is_failure(result)]
