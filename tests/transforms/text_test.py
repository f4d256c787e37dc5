"""The text form of transform lists: what people paste is understood, or refused with the place."""

from __future__ import annotations

import random
import re

import pytest

from estimator_slim.errors import EstimatorSlimError, OptionError
from estimator_slim.options import DEFAULT
from estimator_slim.transforms import TRANSFORMS
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.text import parse

LOG = __file__  # any file that is there
# One text at least for every transform; where it has options, with and without them.
SAMPLES = f"""
strip_unused_nodes
strip_unused_nodes(type=float, shape="1,299,299,3")
strip_unused_nodes(name=a, name=b, type_for_name=int64, shape_for_name="2,3", ignore_errors=true)
remove_nodes(op=Identity)
remove_nodes(op=Identity, op=CheckNumerics, max_inputs=2)
inline_partitionedcall
fold_constants
fold_constants(ignore_errors=true, clear_output_shapes=false)
fold_constants(exclude_op=Exp, exclude_op=Sqrt, exclude_node=a/b, max_constant_size_in_bytes=0)
fold_batch_norms
fold_old_batch_norms(ignore_errors=true)
simplify_lookups
merge_duplicate_nodes
drop_untrained_rows
drop_untrained_rows(fill=keep_oov, random=dnn/embedding_weights, random=table)
merge_identical_rows
reduce_rank
reduce_rank(rank=96)
reduce_rank(energy=0.99)
quantize_weights
quantize_weights(minimum_size=0)
quantize_weights(bits=4, granularity=table)
sparsify_gather
sparsify_gather(group_init_node=init, input_checkpoint=variables/variables)
round_weights
round_weights(num_steps=100)
quantize_nodes
quantize_nodes(input_min=-1.5, input_max=1e-07, fallback_min=-10.0, fallback_max=10.0)
insert_logging
insert_logging(op=MatMul, op=Relu, prefix=dnn/, show_op=true, show_name=true, first_n=3, summarize=-1)
insert_logging(op=RequantizationRange, show_name=true, message="__requant_min_max:")
insert_logging(message="a, (b) = c;")
freeze_requantization_ranges(min_max_log_file={LOG})
freeze_requantization_ranges(min_max_log_file={LOG}, min_percentile=2.5, max_percentile=0.0)
flatten_atrous_conv
fuse_pad_and_conv
fuse_resize_and_conv
fuse_resize_pad_and_conv
remove_control_dependencies
remove_device
set_device
set_device(device="/job:localhost/device:CPU:0", if_default=true)
add_default_attributes
remove_attribute(attribute_name=_output_shapes)
remove_attribute(attribute_name=transpose_a, op_name=MatMul)
rename_attribute(old_attribute_name=_a, new_attribute_name=_b)
rename_attribute(old_attribute_name=_a, new_attribute_name=_b, op_name=MatMul)
rename_op(old_op_name=Relu, new_op_name=Relu6)
rename_node(old_node_name=head/predictions, new_node_name=scores)
obfuscate_names
backport_concatv2
backport_tensor_array_v3
sort_by_execution_order
""".strip().splitlines()

RECIPES = {
    "the recipe": "remove_nodes(op=Identity) merge_duplicate_nodes strip_unused_nodes "
                  "fold_constants(ignore_errors=true) fold_batch_norms",
    "several lines": "\n  strip_unused_nodes\n\tfold_constants\r\n\n  quantize_weights\n",
    "shell continuations": "strip_unused_nodes \\\n  fold_constants(ignore_errors=true) \\\n"
                           "  fold_batch_norms \\\n",
    "continuations inside": "strip_unused_nodes(type=float, \\\n  shape=\"1,299,299,3\")",
    "spaces": "  remove_nodes ( op = Identity ,op=NoOp )   round_weights( num_steps = 5 ) ",
    "quotes": "remove_nodes(op=\"Identity\") strip_unused_nodes(shape='1, 2', name='a b')",
    "no options in parentheses": "fold_constants() fold_batch_norms( )",
    "no space between": "remove_nodes(op=Identity)fold_constants(ignore_errors=true)remove_device",
    "nothing": " \n ",
    "other truths": "fold_constants(ignore_errors=True, clear_output_shapes=0)",
}


def one(text: str) -> Transform:
    (transform,) = parse(text, TRANSFORMS)
    return transform


def error(text: str) -> str:
    with pytest.raises(OptionError) as raised:
        parse(text, TRANSFORMS)
    return str(raised.value)


@pytest.mark.parametrize("text", SAMPLES)
def test_the_text_of_a_transform_is_read_back_as_the_same_transform(text: str) -> None:
    assert one(str(one(text))) == one(text)


def test_every_transform_has_a_sample_here() -> None:
    assert {one(text).text_name for text in SAMPLES} == set(TRANSFORMS)


def test_only_options_that_are_not_at_their_default_are_written() -> None:
    assert str(one("fold_constants(clear_output_shapes=true)")) == "fold_constants"


@pytest.mark.parametrize("value", [
    "a b", "a,b", "x=y", "it's", 'say "hi"', "(", ")", "a\\b", "\\", "a\nb", "a\rb", "a\u00a0b",
    "a\fb", "", "é", "true", "7"], ids=ascii)
def test_any_text_value_is_read_back(value: str) -> None:
    transform = TRANSFORMS["strip_unused_nodes"](type=value, name=(value, "last"))
    assert one(str(transform)) == transform


@pytest.mark.parametrize("recipe", RECIPES)
def test_texts_from_the_wild_are_understood(recipe: str) -> None:
    transforms = parse(RECIPES[recipe], TRANSFORMS)
    names = re.findall("|".join(sorted(TRANSFORMS, key=len, reverse=True)), RECIPES[recipe])
    assert [t.text_name for t in transforms] == names
    assert parse(" ".join(map(str, transforms)), TRANSFORMS) == transforms


def test_the_default_list_is_a_text_too() -> None:
    assert " ".join(map(str, parse(DEFAULT, TRANSFORMS))) == DEFAULT


def test_options_have_the_types_and_values_that_were_written() -> None:
    nodes = one("quantize_nodes(input_min=-1, input_max=2.5)")
    assert (nodes.input_min, nodes.input_max, nodes.fallback_max) == (-1.0, 2.5, None)
    removed = one("remove_nodes(op=Identity, max_inputs=3, op='Check Numerics')")
    assert (removed.op, removed.max_inputs) == (("Identity", "Check Numerics"), 3)


@pytest.mark.parametrize("text, column, message", [
    ("fold_constnts", 1, "unknown transform 'fold_constnts'; did you mean 'fold_constants'?"),
    ("remove_device\n  fold_constnts", 17, "did you mean 'fold_constants'?"),
    ("fuse_convolutions", 1, "did you mean 'fuse_pad_and_conv', 'fuse_resize_and_conv', "
                             "'fuse_resize_pad_and_conv'?"),
    ("obsfucate_names", 1, "unknown transform 'obsfucate_names'; did you mean 'obfuscate_names'?"),
    ("zzz", 1, "unknown transform 'zzz'; there are strip_unused_nodes, "),
    ("Fold_Constants", 1, "did you mean 'fold_constants'?"),
    ("fold_constants(ignore_error=true)", 16,
     "fold_constants has no option 'ignore_error'; did you mean 'ignore_errors'?"),
    ("quantize_weights(zzz=1)", 18, "quantize_weights has no option 'zzz'; there are "),
    ("fold_constants remove_nodes(op=Identity", 40, "expected ',' or ')', got the end of the text"),
    ("fold_constants(", 15, "this parenthesis is never closed"),
    ("remove_nodes(op=Identity, ", 13, "this parenthesis is never closed"),
    ("fold_constants(ignore_errors)", 29, "expected '=' after ignore_errors, got ')'"),
    ("fold_constants(ignore_errors true)", 30, "expected '=' after ignore_errors, got 't'"),
    ("fold_constants(ignore_errors=)", 30, "expected a value for ignore_errors, got ')'"),
    ("fold_constants(ignore_errors=yes)", 30,
     "fold_constants(ignore_errors=...) takes true or false, got 'yes'"),
    ("quantize_weights(minimum_size=1e3)", 31, "takes an integer, got '1e3'"),
    ("quantize_weights(minimum_size=-1)", 1, "takes 0 or more values, got -1"),
    ("quantize_nodes(input_min=low)", 26, "takes a number, got 'low'"),
    ("quantize_nodes(input_min=nan)", 26, "takes a number, got 'nan'"),
    ("fold_constants(ignore_errors=true, ignore_errors=false)", 36,
     "ignore_errors is given twice"),
    ("remove_device remove_nodes", 15, "remove_nodes needs the ops to remove"),
    ("remove_device, fold_constants", 14, "got ','; transforms are separated by spaces"),
    ("remove_device() ; fold_constants", 17, "got ';'; transforms are separated by spaces"),
    ("fold_constants(,ignore_errors=true)", 16, "expected the name of an option, got ','"),
    ("remove_nodes(op=Identity,,op=NoOp)", 26, "expected the name of an option, got ','"),
    ("remove_nodes(op=Identity,)", 26, "expected the name of an option, got ')'"),
    ("remove_nodes(op=Identity op=NoOp)", 26, "expected ',' or ')', got 'o'"),
    ("fold_constants)", 15, "expected the name of a transform, got ')'"),
    ("remove_nodes(op=\"Identity)", 17, "expected a value for op, got '\"'; this quote is never closed"),
    ("strip_unused_nodes(shape=1,299,299,3)", 28,
     "got '2'; put a value with commas in quotes, as in shape=\"1,299,299,3\""),
    ("strip_unused_nodes(shape=“1,299,299,3”)", 29, "got '2'; quotes are \" or ', not “ ” ‘ ’"),
    ("insert_logging(message=‘a b’)", 27, "got 'b'; quotes are \" or ', not “ ” ‘ ’"),
    ("fold-constants", 1, "unknown transform 'fold-constants'; did you mean 'fold_constants'?"),
    ("fold_constants(ignore-errors=true)", 16, "did you mean 'ignore_errors'?"),
    ("'fold_constants remove_device'", 1, "got \"'\"; give the list alone, without quotes or brackets"),
    ("“fold_constants remove_device”", 1, "got '“'; give the list alone, without quotes or brackets"),
    ("['fold_constants']", 1, "got '['; give the list alone, without quotes or brackets"),
    ("--transforms='fold_constants'", 1, "got '-'; give the list alone, without flags"),
])
def test_a_wrong_text_is_refused_with_its_column_and_a_hint(
        text: str, column: int, message: str) -> None:
    first, shown, caret = error(text).split("\n")
    assert first.startswith(f"transforms, column {column}: ")
    assert message in first
    assert len(caret) - len(caret.lstrip()) - 2 == column - 1
    assert shown[2:] == re.sub(r"\s", " ", text)


def test_an_option_error_is_one_of_ours_and_a_value_error() -> None:
    assert issubclass(OptionError, EstimatorSlimError)
    assert issubclass(OptionError, ValueError)


def mutated(text: str, rng: random.Random) -> str:
    """`text` after one to four edits: characters dropped, doubled, swapped or put in."""
    characters = list(text)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(characters) + 1)
        stop = min(len(characters), at + rng.randint(0, 3))
        characters[at:stop] = rng.choice(
            ["", "(", ")", ",", "=", '"', "'", "\\", "\n", " ", "\0", "é", "1", "-", "inf", "1_0",
             "9" * 5000, "".join(characters[at:stop] * 2), rng.choice(SAMPLES)])
        characters = characters or [" "]
    return "".join(characters)


def test_of_3000_damaged_texts_each_is_refused_by_an_option_error_or_round_trips() -> None:
    rng, refused = random.Random(0), 0
    texts = SAMPLES + list(RECIPES.values())
    for _ in range(3000):
        text = mutated(rng.choice(texts), rng)
        try:
            transforms = parse(text, TRANSFORMS)
        except OptionError:
            refused += 1
        else:
            again = parse(" ".join(map(str, transforms)), TRANSFORMS)
            assert again == transforms, text[:200]
    assert 500 < refused < 3000
