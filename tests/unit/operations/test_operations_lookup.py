"""Which file a path as typed means."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import HomeBuilder
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.operations.doing.file.lookup import one_file

CWD = Path("/evidence")


@pytest.fixture
def known(past: HomeBuilder) -> HomeBuilder:
    source = past.source()
    for name in ("a/log.csv", "b/log.csv", "b/only.csv"):
        past.location(source, name)
    return past


@pytest.mark.parametrize("words", ["b/only.csv", "only.csv", "/evidence/b/only.csv"])
def test_a_file_is_found_by_its_path_or_the_end_of_it(known: HomeBuilder, words: str) -> None:
    assert one_file(known.database.connection, CWD, words)["path"] == "b/only.csv"


def test_an_ambiguous_name_lists_its_candidates(known: HomeBuilder) -> None:
    with pytest.raises(UsageError) as caught:
        one_file(known.database.connection, CWD, "log.csv")
    assert "/evidence/a/log.csv" in caught.value.why
    assert "/evidence/b/log.csv" in caught.value.why


@pytest.mark.parametrize("words", ["nly.csv", "%", "nothing"])
def test_what_was_never_scanned_is_not_found(known: HomeBuilder, words: str) -> None:
    with pytest.raises(NotFound):
        one_file(known.database.connection, CWD, words)


def test_a_file_in_two_overlapping_sources_is_one_file(known: HomeBuilder) -> None:
    known.location(known.source(b"/evidence/b"), "only.csv")
    assert one_file(known.database.connection, CWD, "/evidence/b/only.csv")["path"].endswith("only.csv")
