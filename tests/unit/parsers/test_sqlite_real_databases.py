"""The SQLite parser on real application databases, where the shared samples are present."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from shipped_parser import SHARED, load_shipped_parser, run_parser

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared sample databases (../shared/data) are not here")

parser = load_shipped_parser("database/sqlite")
DATABASES = [
    path
    for folder in ("sqlite", "browser")
    for path in sorted((SHARED / folder).rglob("*"))
    if path.is_file() and not path.name.endswith(("-wal", "utmp"))
]


@pytest.mark.parametrize("path", DATABASES, ids=lambda path: path.name)
def test_a_real_database_is_read_whole_and_left_alone(path: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = hashlib.sha256(path.read_bytes()).digest()
    parsed = run_parser(parser, path)
    assert parsed.rejected == [] and parsed.outputs()
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert list(tmp_path.iterdir()) == []


def test_a_real_wal_holds_rows_that_the_database_does_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = run_parser(parser, SHARED / "sqlite" / "wal_database.db")
    assert len(parsed.rows("MyTable")) == 11


def test_a_column_that_no_chrome_has_is_a_column_like_others(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = run_parser(parser, SHARED / "browser" / "chrome" / "cookies.db")
    assert len(parsed.rows("cookies")) == 560
