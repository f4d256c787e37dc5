"""A servable is what lies in its folder: what leads out of it, or is no file, is refused, not copied."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim import optimize_saved_model
from tests.hostile.damage import assert_refused, edit

SECRET = "the password is swordfish"
NO_ASSET_NAME = ["../secret.txt", "../../secret.txt", "a/../../../secret.txt", "/etc/hostname", ".."]
UNPRINTABLE = ["a\0b.txt", "a\nb.txt", "\x1b[2J", "a\x7f"]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET, encoding="utf-8")
    return path


def replaced(path: Path, target: Any) -> None:
    """A link to `target` where a file was."""
    path.unlink()
    path.symlink_to(target)


def name_asset(source: Path, name: str) -> None:
    """Gives the servable's asset another name, in the collection that lists it."""
    def rename(meta_graph: Any) -> None:
        (packed,) = meta_graph.collection_def["saved_model_assets"].any_list.value
        asset = meta_graph_pb2.AssetFileDef.FromString(packed.value)
        asset.filename = name
        packed.Pack(asset)
    edit(source, rename)


@pytest.mark.parametrize("name", NO_ASSET_NAME)
def test_an_asset_whose_name_leads_out_of_the_folder_is_refused(
        source: Path, secret: Path, name: str) -> None:
    name_asset(source, name)
    assert_refused(source, "source: the asset name .* leads out of its assets folder")


@pytest.mark.parametrize("name", UNPRINTABLE, ids=ascii)
def test_an_asset_whose_name_no_file_has_is_refused(source: Path, name: str) -> None:
    name_asset(source, name)
    message = assert_refused(source, "source: the asset name .* has characters that no asset's name has")
    assert name not in message  # it is spelt out


@pytest.mark.parametrize("name", ["", ".", "nowhere.txt", "notes"])
def test_an_asset_that_is_no_file_is_refused(source: Path, name: str) -> None:
    (source / "assets" / "notes").mkdir()
    name_asset(source, name)
    assert_refused(source, "source: its asset file assets/.* is missing; export it again")


LINKED: dict[str, Callable[[Path], Path]] = {
    "asset": lambda s: s / "assets/vocabulary.txt",
    "warm-up": lambda s: s / "assets.extra/tf_serving_warmup_requests",
    "deep": lambda s: s / "assets.extra/notes/of/mine.txt",
    "index": lambda s: s / "variables/variables.index",
    "data": lambda s: s / "variables/variables.data-00000-of-00001",
    "graph": lambda s: s / "saved_model.pb",
}


@pytest.mark.parametrize("what", LINKED)
@pytest.mark.parametrize("relative", [True, False])
def test_a_link_out_of_the_servable_is_refused(
        source: Path, tmp_path: Path, what: str, relative: bool) -> None:
    path = LINKED[what](source)
    outside = tmp_path / "outside"
    shutil.copy(path, outside)
    replaced(path, os.path.relpath(outside, path.parent) if relative else outside)
    message = assert_refused(source, "is a link to .*expected a file, or a link to a file of")
    assert str(path) in message
    assert str(outside) in message


def test_a_link_by_way_of_links_out_of_the_servable_is_refused(source: Path, secret: Path) -> None:
    (source / "assets.extra/second").symlink_to(secret)
    (source / "assets.extra/first").symlink_to("second")
    assert_refused(source, r"assets.extra/(first|second) is a link to '.*secret.txt'")


@pytest.mark.parametrize("target", ["nowhere", "itself", "..", "/", "notes", "../assets"])
def test_a_link_to_a_folder_or_to_nothing_is_refused(source: Path, target: str) -> None:
    (source / "assets.extra/itself").symlink_to(target)
    assert_refused(source, "assets.extra/itself is a link to .*expected a file")


def test_links_that_make_a_tree_without_end_are_refused_at_once(source: Path) -> None:
    for level in range(40):
        folder = source / f"assets.extra/{level}"
        folder.mkdir()
        for name in "ab":
            (folder / name).symlink_to(f"../{level + 1}")
    assert_refused(source, "assets.extra/.* is a link to .*expected a file")


def test_a_link_to_a_file_of_the_servable_is_copied_as_that_file(source: Path, tmp_path: Path) -> None:
    (source / "assets.extra/again").symlink_to("../assets/vocabulary.txt")
    replaced(source / "assets.extra/notes/of/mine.txt", "../../tf_serving_warmup_requests")
    optimize_saved_model(source, tmp_path / "slim")
    copied = tmp_path / "slim/assets.extra/again"
    assert not copied.is_symlink()
    assert copied.read_bytes() == (source / "assets/vocabulary.txt").read_bytes()
    assert (tmp_path / "slim/assets.extra/notes/of/mine.txt").read_bytes() == b"\0extra\xff"


@pytest.mark.parametrize("where", ["assets.extra", "assets", "variables", ""])
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_pipe_or_a_socket_is_refused_without_opening_it(source: Path, where: str, kind: str) -> None:
    path = source / where / "odd"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        os.chdir(source / where)  # a socket's path is short
        socket.socket(socket.AF_UNIX).bind("odd")
    assert_refused(source, "odd is neither a file nor a folder; expected a servable's files. Remove it")


def test_a_pipe_in_place_of_the_graph_is_refused_without_opening_it(source: Path) -> None:
    (source / "saved_model.pb").unlink()
    os.mkfifo(source / "saved_model.pb")
    assert_refused(source, "saved_model.pb is neither a file nor a folder")


def test_folders_in_each_other_without_end_are_refused(source: Path) -> None:
    (source / "assets.extra" / "/".join("d" * 200)).mkdir(parents=True)
    assert_refused(source, "lies more than 64 folders deep")


def test_a_file_whose_name_is_no_text_is_refused(source: Path) -> None:
    Path(os.fsdecode(os.fsencode(source) + b"/assets.extra/\xff\xfe")).write_bytes(b"")
    assert_refused(source, r"assets.extra/\\udcff\\udcfe has a name that is no UTF-8; rename it")


def test_names_that_are_odd_but_stay_inside_are_copied(source: Path, tmp_path: Path) -> None:
    for name in ("..hidden", "a..b", " ", "-rf", "ü 漢.txt", "new\nline"):
        (source / "assets.extra" / name).write_text(name, encoding="utf-8")
    optimize_saved_model(source, tmp_path / "slim")
    copied = {p.name for p in (tmp_path / "slim/assets.extra").iterdir()}
    assert {"..hidden", "a..b", " ", "-rf", "ü 漢.txt", "new\nline"} < copied
