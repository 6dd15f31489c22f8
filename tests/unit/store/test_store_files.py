from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.store.database import Database
from casparian_flow.store.files import find_location
from casparian_flow.store.migrate import expected_fingerprint, live_fingerprint
from scout_builders import Scouted


@pytest.fixture
def scouted(tmp_path: Path) -> Iterator[Scouted]:
    for name in ("home/x", "ev/a/log.csv", "ev/b/log.csv", "ev/b/only.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    database = Database(tmp_path / "home" / "state.sqlite3")
    scouted = Scouted(database, tmp_path / "ev")
    scouted.scan_and_tag()
    yield scouted
    database.close()


@pytest.mark.parametrize("words", ["b/only.csv", "only.csv"])
def test_a_file_is_found_by_its_path_or_the_end_of_it(scouted: Scouted, words: str) -> None:
    assert find_location(scouted.database.connection, words).rel_path == b"b/only.csv"


def test_a_file_is_found_by_its_absolute_path(scouted: Scouted, tmp_path: Path) -> None:
    path = tmp_path / "ev" / "a" / "log.csv"
    row = find_location(scouted.database.connection, "log.csv", os.fsencode(path))
    assert row.path == os.fsencode(path)


def test_an_ambiguous_name_lists_its_candidates(scouted: Scouted) -> None:
    with pytest.raises(UsageError) as caught:
        find_location(scouted.database.connection, "log.csv")
    assert "a/log.csv" in caught.value.why
    assert "b/log.csv" in caught.value.why


@pytest.mark.parametrize("words", ["nly.csv", "%", "nothing"])
def test_what_was_never_scanned_is_not_found(scouted: Scouted, words: str) -> None:
    with pytest.raises(NotFound):
        find_location(scouted.database.connection, words)


def test_a_new_home_has_the_schema_that_the_code_expects(scouted: Scouted) -> None:
    assert live_fingerprint(scouted.database.connection) == expected_fingerprint()
