"""Globs that are proposed for files without a tag."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.tags import matches
from casparian_flow.scout.propose import SeenFile, candidates, propose


def seen(*paths: str, content: str = "delimited", is_open: bool = True) -> list[SeenFile]:
    return [SeenFile(path, content, is_open) for path in paths]


def test_files_that_differ_in_a_date_get_one_glob() -> None:
    (found,) = propose(seen("fw_2026-03-01.csv", "fw_2026-03-02.csv") + seen("notes.csv", is_open=False))
    assert (found.pattern, found.tag, found.files, found.others) == ("fw_*.csv", "fw", 2, 0)
    assert found.precision == 1.0


def test_files_of_a_folder_get_the_glob_of_the_folder() -> None:
    files = seen("web/alpha.log", "web/beta.log", content="web_access") + seen("x/gamma.log", is_open=False)
    (found,) = propose(files)
    assert found.pattern.startswith("web/") and found.others == 0 and found.content == "web_access"


def test_what_else_a_glob_matches_counts_against_it() -> None:
    files = seen("a.csv", "b.csv", "c.csv") + seen("d.csv", "e.csv", "f.csv", is_open=False)
    (found,) = propose(files)
    assert (found.pattern, found.files, found.others, found.precision) == ("*.csv", 3, 3, 0.5)


def test_files_of_another_content_are_others() -> None:
    (found,) = propose(seen("a.dat", "b.dat", "c.dat") + seen("d.dat", content="binary"))
    assert (found.content, found.files, found.others) == ("delimited", 3, 1)


def test_a_wide_glob_gives_way_to_a_narrow_one_that_says_more() -> None:
    found = propose(seen("fw/fw_01.csv", "fw/fw_02.csv", "web/pages.csv"))
    assert found[0].pattern == "fw_*.csv"
    assert "*.csv" not in [each.pattern for each in found]


def test_one_file_alone_is_no_pattern() -> None:
    assert propose(seen("only.csv")) == []
    assert propose([]) == []


PATHS = st.lists(
    st.text("ab1-*?[]/.!\x1b\u202e ", min_size=1, max_size=12).map(lambda t: t.strip("/") or "a"), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(PATHS)
def test_every_candidate_matches_the_path_that_it_comes_from(paths: list[str]) -> None:
    for path in paths:
        assert [each.pattern for each in candidates(path) if not matches(each.pattern, path)] == []


@settings(max_examples=30, deadline=None)
@given(PATHS, PATHS)
def test_the_figures_of_a_proposal_are_what_its_glob_matches(wanted: list[str], tagged: list[str]) -> None:
    files = seen(*wanted) + seen(*tagged, is_open=False)
    for found in propose(files):
        assert found.files + found.others == sum(matches(found.pattern, file.path) for file in files)
        assert found.files >= 2
