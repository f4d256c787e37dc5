"""What was left alone is told briefly: a reason once, however many weights it holds for."""

from __future__ import annotations

from estimator_slim.report import Report, Step, left_alone_text

STEPS = [Step("reduce_rank(energy=0.99)", 0.1, 9, 9, [
            ("a", "it has 1 columns, not 8 to 2048"), ("b", "its rows meet a MatMul"),
            ("c", "it has 4 columns, not 8 to 2048")]),
         Step("fold_constants", 0.1, 9, 9, [("", "there is nothing to fold")])]


def test_reasons_that_differ_in_numbers_alone_are_told_once() -> None:
    assert left_alone_text(Report("original", "slim", steps=STEPS)).splitlines() == [
        "reduce_rank left a and 1 more alone: it has 1 columns, not 8 to 2048",
        "reduce_rank left b alone: its rows meet a MatMul",
        "fold_constants left everything alone: there is nothing to fold"]


def test_where_nothing_was_left_alone_nothing_is_told() -> None:
    assert left_alone_text(Report("original", "slim")) == ""
