"""The mutants are of the package as it is; `python -m tests.mutants.run` says which test finds each."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.mutants import MUTANTS, Mutant
from tests.mutants.run import changed
from tests.support.processes import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_made_of_the_package_and_its_tests_are_there(mutant: Mutant) -> None:
    text = (ROOT / "estimator_slim" / mutant.file).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(changed(mutant, text))) != ast.dump(ast.parse(text))
    for path in mutant.tests.split():
        assert (ROOT / path).exists()
