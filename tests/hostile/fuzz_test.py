"""Noise in every place that reads a servable or a text: the error is ours, or what was read is sound.

The same noise in every run. `python -m tests.hostile.fuzz --minutes N` makes more of it.
"""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from estimator_slim import EstimatorSlimError, SourceError
from estimator_slim.checkpoint.reader import CheckpointReader
from estimator_slim.checkpoint.region import parse_region
from estimator_slim.checkpoint.strings import decode_strings, encode_strings
from estimator_slim.checkpoint.table import read_table, write_table
from estimator_slim.errors import OptionError
from estimator_slim.graph import unpacked_strings
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import TRANSFORMS
from estimator_slim.transforms.text import parse
from tests.hostile.damage import bounded_memory
from tests.hostile.fuzz import fuzz, is_failure
from tests.hostile.mutations import of_bytes, of_graph, of_promises, of_structure
from tests.hostile.originals import make_originals

sometimes = settings(derandomize=True, deadline=None, database=None, max_examples=150,
                     suppress_health_check=list(HealthCheck))
words = st.sampled_from([*TRANSFORMS, "op", "bits", "name", "ignore_errors", "true", "8", "-1.5",
                         "1e400", "'a b'", '"', "'", "(", ")", "=", ",", "\\", "\n", " ", "٣", "nan",
                         "9" * 5000])


@sometimes
@given(st.one_of(st.text(), st.lists(words, max_size=12).map("".join),
                 st.lists(words, max_size=12).map(" ".join)))
def test_any_text_is_a_transform_list_that_reads_back_or_an_option_error(text: str) -> None:
    with contextlib.suppress(OptionError):
        for transform in parse(text, TRANSFORMS):
            assert parse(str(transform), TRANSFORMS) == [transform]


@sometimes
@given(st.text(st.sampled_from("0123456789 ,:-٣\0"), max_size=30))
def test_any_text_is_a_slice_inside_its_tensor_or_an_error(text: str) -> None:
    with contextlib.suppress(SourceError):
        parsed = parse_region(text)
        assert parsed is None or parsed[1].fits(parsed[0])


@sometimes
@given(st.binary(max_size=60), st.integers(0, 50))
def test_any_bytes_are_so_many_strings_or_an_error(content: bytes, count: int) -> None:
    with contextlib.suppress(ValueError):
        strings = unpacked_strings(content, count)
        assert len(strings) == count
        assert sum(map(len, strings)) <= len(content)
    with contextlib.suppress(ValueError):
        again = encode_strings(decode_strings(content, count).tolist())[0]
        assert len(decode_strings(again, count)) == count


@sometimes
@given(st.binary(max_size=200),
       st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3))
def test_any_bytes_are_a_table_or_an_error(noise: bytes, changes: list[tuple[int, int]]) -> None:
    content = bytearray(write_table([(b"a%d" % n, bytes(n)) for n in range(30)]))
    for at, value in changes:
        content[at % len(content)] = value
    for table in (bytes(content), noise, bytes(content[:len(noise)]), noise + bytes(content[-48:])):
        with contextlib.suppress(SourceError):
            assert all(isinstance(key, bytes) for key, _ in read_table(table, "c.index"))


@pytest.fixture(scope="module")
def originals(once: Callable) -> Path:
    def make(folder: Path) -> Path:
        make_originals(folder)
        return folder
    return once("originals", make)


@pytest.mark.parametrize("count", [4, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", [of_bytes, of_graph, of_promises, of_structure])
@pytest.mark.parametrize("name", ["classifier", "control_flow"])
def test_a_mutated_servable_is_read_or_refused(
        originals: Path, tmp_path: Path, name: str, kind: Any, count: int) -> None:
    rng = random.Random(5)
    for case in range(count):
        directory = Path(shutil.copytree(originals / name / "1", tmp_path / f"{case}"))
        done = kind(directory, rng)
        try:
            with bounded_memory():
                servable = read_servable(str(directory))
                reader = CheckpointReader(servable.checkpoint) if servable.checkpoint else None
                for key in reader.tensors if reader else ():
                    assert isinstance(reader.value(key), np.ndarray), done  # type: ignore[union-attr]
        except EstimatorSlimError as error:
            assert str(directory) in str(error), done


@pytest.mark.parametrize("count", [40, pytest.param(150, marks=pytest.mark.long)])
def test_no_mutation_ends_the_pipeline_in_another_way_than_it_promises(
        originals: Path, count: int) -> None:
    results = list(fuzz(originals, 0, count=count))
    assert [r for r in results if is_failure(r)] == []
    outcomes = {r["outcome"] for r in results}
    assert {"accepted", "rejected"} <= outcomes
    assert len(results) >= count - 10  # those that end TensorFlow itself take the rest of their batch
