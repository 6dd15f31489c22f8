from __future__ import annotations

import pytest

from casparian_flow.core.errors import CasparianError, SinkUnavailable, UsageError
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.uri import open_sink, parse_uri


@pytest.mark.parametrize(
    ("text", "absolute"),
    [
        ("parquet://out", "parquet:///srv/me/out"),
        ("PARQUET://out", "parquet:///srv/me/out"),
        ("parquet://.", "parquet:///srv/me"),
        ("parquet://./a/../b//c/", "parquet:///srv/me/b/c"),
        ("parquet://../out", "parquet:///srv/out"),
        ("parquet:///abs/out", "parquet:///abs/out"),
        ("parquet:////abs", "parquet:///abs"),
        ("parquet://with space/ünï%20#x@y", "parquet:///srv/me/with space/ünï%20#x@y"),
        ("parquet://out?table=events", "parquet:///srv/me/out?table=events"),
        ("parquet://out.db/events", "parquet:///srv/me/out.db/events"),
        ("csv://out", "csv:///srv/me/out"),
        ("duckdb://out.duckdb", "duckdb:///srv/me/out.duckdb"),
        ("duckdb:///abs/out.duckdb", "duckdb:///abs/out.duckdb"),
        ("sqlite://data.db/events", "sqlite:///srv/me/data.db?table=events"),
        ("sqlite:///abs/data.sqlite3/events", "sqlite:///abs/data.sqlite3?table=events"),
        ("sqlite://data.db/events?table=events", "sqlite:///srv/me/data.db?table=events"),
        ("sqlite://folder.db/data.db", "sqlite:///srv/me/folder.db/data.db"),
        ("sqlite://folder.v2/data", "sqlite:///srv/me/folder.v2/data"),
    ],
)
def test_a_uri_becomes_absolute_and_stays_so(text: str, absolute: str) -> None:
    assert str(parse_uri(text).absolute("/srv/me")) == absolute
    assert str(parse_uri(absolute).absolute("/elsewhere")) == absolute


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no scheme"),
        ("out", "no scheme"),
        ("parquet://", "names no place"),
        ("parquet://?table=x", "names no place"),
        ("parqet://out", "parquet://"),
        ("parquet://~/out", "no meaning"),
        ("parquet://out?mode=append", "only ?table=NAME"),
        ("parquet://out?table=a&table=b", "only ?table=NAME"),
        ("parquet://out?table=", "only ?table=NAME"),
        ("parquet://out?table=../x", "cannot name a table"),
        ("sqlite://data.db/a?table=b", "two tables"),
        ("sqlite://data.db/A-B", "cannot name a table"),
        ("parquet://a\x00b", "printable"),
        ("parquet://a\udc80b", "printable"),
        ("parquet://a\x1b[31m", "printable"),
    ],
)
def test_what_is_not_a_sink_uri_is_refused_in_words_that_can_be_shown(text: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(text)

    shown = " ".join((caught.value.message, caught.value.where, caught.value.why, caught.value.fix))
    assert part in shown
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("out", "parquet://out"),
        ("out.duckdb", "duckdb://out.duckdb"),
        ("a/data.DB", "sqlite://a/data.DB"),
        ("rows.csv", "csv://rows.csv"),
    ],
)
def test_a_path_without_a_scheme_is_told_the_one_that_its_name_means(text: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(text)

    assert caught.value.fix == fix


def test_a_scheme_that_resembles_none_is_not_answered_with_a_guess() -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri("mysql-server://x")

    assert "did you mean" not in caught.value.fix


@pytest.mark.parametrize("text", ["postgres://db/x", "postgresql://me@db/x", "mssql://db/x", "MSSQL://db"])
def test_servers_are_refused_as_unavailable(text: str) -> None:
    with pytest.raises(SinkUnavailable, match="not available in this version") as caught:
        parse_uri(text)

    assert "scale work" in caught.value.why


@pytest.mark.parametrize(
    "text",
    [
        "postgres://me:hunter2@db/x",
        "parquet://me:hunter2@host/out",
        "nonsense://me:hunter2@host/out",
        "me:hunter2@host/out",
        "parquet://out?password=hunter2",
        "parquet://out?table=hunter2&user=me",
    ],
)
def test_a_credential_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(text)

    error = caught.value
    assert "hunter2" not in f"{error.message} {error.where} {error.why} {error.fix}"


def test_a_table_in_the_uri_does_not_make_another_place() -> None:
    sink = open_sink("parquet:///data/out?table=events")

    assert isinstance(sink, FolderSink)
    assert sink.uri == "parquet:///data/out"


def test_a_relative_uri_cannot_be_opened() -> None:
    with pytest.raises(CasparianError, match="not absolute"):
        open_sink("parquet://out")
