"""Running a parser under test."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from casparian_flow.sdk.testing import collect

PARSER = """
from names_for_this_test import NAME
def parse(path):
    yield "t", [{"name": NAME}]
"""


@pytest.fixture
def parsers(tmp_path: Path) -> list[Path]:
    """Two parsers, each with a module of its own of the same name."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "parser.py").write_text(PARSER)
        (folder / "names_for_this_test.py").write_text(f"NAME = {folder.name!r}\n")
    return folders


@pytest.mark.parametrize("is_known", [False, True])
def test_each_parser_has_its_own_modules_also_where_the_test_had_imported_those_of_another(
    parsers: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_known: bool
) -> None:
    (tmp_path / "a.txt").write_text("x")
    monkeypatch.syspath_prepend(parsers[0])
    if is_known:
        assert importlib.import_module("names_for_this_test").NAME == "one"
    found = [collect(folder, tmp_path / "a.txt").rows["t"][0].data["name"].to_pylist() for folder in parsers]
    assert found == [["one"], ["two"]]


def test_a_folder_reached_by_another_name_is_forgotten_too(
    parsers: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "link").symlink_to(parsers[0])
    monkeypatch.chdir(tmp_path)
    found = [
        collect(folder, tmp_path / "a.txt").rows["t"][0].data["name"].to_pylist()
        for folder in (Path("link"), parsers[1])
    ]
    assert found == [["one"], ["two"]]
