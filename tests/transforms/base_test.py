"""What every transform promises of its options, given in code instead of as a text."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from estimator_slim.errors import OptionError
from estimator_slim.transforms import TRANSFORMS, transform_list


@pytest.mark.parametrize("name, options", [
    ("fold_constants", {"ignore_errors": "yes"}), ("fold_constants", {"clear_output_shapes": 2}),
    ("remove_nodes", {"op": "Identity"}), ("remove_nodes", {"op": ()}),
    ("remove_nodes", {"op": ("Identity",), "max_inputs": "one"}), ("remove_nodes", {"op": (7,)}),
    ("quantize_weights", {"minimum_size": "1024"}), ("quantize_weights", {"minimum_size": -1}),
    ("quantize_weights", {"minimum_size": 10.5}), ("quantize_weights", {"minimum_size": None}),
    ("fold_constants", {"max_constant_size_in_bytes": -1}),
    ("fold_constants", {"max_constant_size_in_bytes": 2**63}),
    ("quantize_nodes", {"input_min": "0"}), ("round_weights", {"num_steps": "many"}),
], ids=str)
def test_an_option_of_a_wrong_type_or_value_is_an_error_at_construction(
        name: str, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"{name}.*{list(options)[-1]}"):
        TRANSFORMS[name](**options)


def test_a_transform_cannot_be_changed_once_it_is_built() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TRANSFORMS["fold_constants"]().ignore_errors = True  # type: ignore[misc]


def test_a_list_may_mix_texts_and_transforms() -> None:
    fold = TRANSFORMS["fold_constants"](ignore_errors=True)
    mixed = transform_list(["strip_unused_nodes remove_device", fold, ""])
    assert [str(t) for t in mixed] == ["strip_unused_nodes", "remove_device",
                                       "fold_constants(ignore_errors=true)"]


@pytest.mark.parametrize("wrong, message", [
    (7, "got int"), (None, "got NoneType"), ([b"fold_constants"], "got b'fold_constants'"),
    ([TRANSFORMS["fold_constants"]], "got <class"), (b"fold_constants", "transforms: expected")])
def test_a_list_of_something_else_is_an_error(wrong: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        transform_list(wrong)
