"""Every transform that TensorFlow's engine registers is one of ours."""

from __future__ import annotations

import mmap
import os
import re

import pytest
import tensorflow as tf
from tensorflow.python.util import _pywrap_transform_graph as engine

from estimator_slim.transforms import TRANSFORMS

REGISTERED = (
    "add_default_attributes", "backport_concatv2", "backport_tensor_array_v3",
    "flatten_atrous_conv", "fold_batch_norms", "fold_constants", "fold_old_batch_norms",
    "freeze_requantization_ranges", "fuse_pad_and_conv", "fuse_resize_and_conv",
    "fuse_resize_pad_and_conv", "inline_partitionedcall", "insert_logging", "merge_duplicate_nodes",
    "obfuscate_names", "quantize_nodes", "quantize_weights", "remove_attribute",
    "remove_control_dependencies", "remove_device", "remove_nodes", "rename_attribute",
    "rename_node", "rename_op", "round_weights", "set_device", "sort_by_execution_order",
    "sparsify_gather", "strip_unused_nodes")
FUNCTION = re.compile(
    rb"_ZN10tensorflow16graph_transforms\d+([A-Za-z0-9]+)ERKNS_8GraphDefERKNS0_20Transform")
WORD = re.compile(r"[A-Z][a-z0-9]*")


def is_registered(name: str) -> bool:
    graph = tf.compat.v1.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    try:
        engine.TransformGraphWithStringInputs(graph.SerializeToString(), b"x", b"x", name.encode())
    except Exception as e:  # the engine's errors have the base class alone
        return "not recognized" not in str(e)
    return True


def candidates() -> set[str]:
    """What the functions in TensorFlow's library that transform graphs would be registered as."""
    folder = os.path.dirname(tf.__file__)
    found = set()
    for name in ("libtensorflow_cc.so.2", "python/_pywrap_tensorflow_internal.so"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                found |= {match[1].decode() for match in FUNCTION.finditer(data)}
    spelt = {"_".join(WORD.findall(name)).lower() for name in found}
    spelt |= {name.removesuffix("_transform").replace("concat_v2", "concatv2") for name in spelt}
    return spelt | {name.replace("partitioned_call", "partitionedcall") for name in spelt}


@pytest.mark.parametrize("name", REGISTERED)
def test_a_transform_of_the_engine_is_one_of_ours(name: str) -> None:
    assert is_registered(name)
    assert name in TRANSFORMS


def test_the_engine_has_no_other_transforms() -> None:
    asked = candidates()
    assert len(asked & set(REGISTERED)) > 20  # the library is one that tells
    assert {name for name in asked if is_registered(name)} <= set(REGISTERED)


def test_names_that_the_engines_readme_misspells_are_none_of_its_own() -> None:
    assert not any(map(is_registered, ("fuse_convolutions", "obsfucate_names", "no_such_transform")))


def test_few_are_no_transform_of_the_engine() -> None:
    assert set(TRANSFORMS) - set(REGISTERED) == {
        "simplify_lookups", "drop_untrained_rows", "merge_identical_rows", "reduce_rank"}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_says_who_does_it(name: str) -> None:
    assert TRANSFORMS[name].by in ("engine", "mended", "ours")
    assert {"engine": "By the engine", "mended": "Mended", "ours": ""}[TRANSFORMS[name].by] in (
        TRANSFORMS[name].__doc__ or "")
