from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from casparian_flow.core.errors import SinkUnavailable, UsageError, VerificationFailed
from casparian_flow.core.hashing import digest_of_file
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, commit, permitted, sealed


@pytest.fixture(params=["parquet", "csv"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sink(scheme: str, tmp_path: Path) -> Sink:
    return open_sink(f"{scheme}://{tmp_path}/out")


def numbers(sink: Sink) -> list[int]:
    return sink.read("events", Role.ACCEPTED).read_all().column("n").to_pylist()


def test_what_is_in_the_folder_already_stays(scheme: str, sink: Sink, tmp_path: Path) -> None:
    commit(sink, 1, 1)
    table = tmp_path / "out" / "outputs" / "events"
    strangers = [
        tmp_path / "out" / f"report.{scheme}",
        table / "v1" / "notes.txt",
        table / "v1" / f"events_1.1.0.{scheme}.bak",
        table / "v1" / f"events_01.1.0.{scheme}",
        table / "v1" / f"other_9.1.0.{scheme}",
        table / f"events_9.1.0.{scheme}",
        table / "v1" / "deeper" / f"events_9.1.0.{scheme}",
        table / "versions" / f"events_9.1.0.{scheme}",
        table / "_cf" / "log" / "notes.json",
        tmp_path / "out" / "outputs" / "Mine" / "v1" / f"Mine_1.1.0.{scheme}",
    ]
    for path in strangers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    (table / "v1" / f"events_8.1.0.{scheme}").symlink_to(strangers[0])

    assert sink.sweep([]) == 0

    assert all(path.read_text() == "mine" for path in strangers)
    assert (table / "v1" / f"events_8.1.0.{scheme}").is_symlink()
    assert sink.tables(Role.ACCEPTED) == ["events"]
    assert numbers(sink) == [1, 2, 3]


def test_a_sealed_file_is_what_its_digest_says(scheme: str, sink: Sink, tmp_path: Path) -> None:
    [file] = sealed(sink, 1, [a_batch()]).files
    path = tmp_path / "out" / "outputs" / "events" / file.name

    assert (path.stat().st_size, digest_of_file(path)) == (file.size, file.digest)
    assert (file.rows, path.suffix) == (3, f".{scheme}")


@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_data_file_that_cannot_be_read_is_named(sink: Sink, damage: str) -> None:
    commit(sink, 1, 1)
    [path] = sink.snapshot("events", Role.ACCEPTED).files
    data = Path(path).read_bytes()
    Path(path).unlink()
    if damage != "missing":
        Path(path).write_bytes(data[: len(data) // 2] if damage == "cut" else b"")

    with pytest.raises(VerificationFailed) as caught:
        sink.read("events", Role.ACCEPTED)

    assert caught.value.where == path


@pytest.mark.parametrize("place", ["outputs", "outputs/events", "outputs/events/v1", "outputs/events/_cf/log"])
def test_a_file_where_a_folder_should_be_is_an_error_and_stays(sink: Sink, tmp_path: Path, place: str) -> None:
    commit(sink, 1, 1, table="other") if place != "outputs" else None
    path = tmp_path / "out" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")

    with pytest.raises(SinkUnavailable) as caught:
        commit(sink, 1, 2)

    assert caught.value.where.startswith(str(path))
    assert path.read_text() == "mine"
    assert "events" not in sink.tables(Role.ACCEPTED)


def test_a_folder_keeps_one_format(scheme: str, sink: Sink, tmp_path: Path) -> None:
    commit(sink, 1, 1)
    other = open_sink(f"{({'parquet', 'csv'} - {scheme}).pop()}://{tmp_path}/out")

    for ask in (
        other.check,
        lambda: other.read("events", Role.ACCEPTED),
        lambda: other.snapshot("events", Role.ACCEPTED),
    ):
        with pytest.raises(SinkUnavailable) as caught:
            ask()
        assert f"{scheme}://{tmp_path}/out" in caught.value.fix

    assert other.sweep([]) == 0
    sink.check()
    assert numbers(sink) == [1, 2, 3]


def test_files_of_the_other_format_are_not_swept(scheme: str, sink: Sink, tmp_path: Path) -> None:
    other = open_sink(f"{({'parquet', 'csv'} - {scheme}).pop()}://{tmp_path}/out")
    output = sealed(other, 1, [a_batch()])

    assert sink.sweep([]) == 0

    other.promote([permitted(output, 1, 1)])
    assert numbers(other) == [1, 2, 3]


def test_the_readme_says_how_to_read_this_folder(scheme: str, sink: Sink, tmp_path: Path) -> None:
    commit(sink, 1, 1)

    text = (tmp_path / "out" / "outputs" / "events" / "_cf" / "README").read_text()

    assert "a glob sees history" in text
    assert f"**/*.{scheme}" in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_struct_that_became_text_is_an_error_with_a_way_out(sink: Sink) -> None:
    for seq, batch in enumerate([pa.record_batch({"x": [{"a": 1}]}), pa.record_batch({"x": ["a"]})], 1):
        sink.promote([permitted(sealed(sink, seq, [batch], version=seq), seq, seq)])

    with pytest.raises(UsageError) as caught:
        sink.read("events", Role.ACCEPTED)

    assert "as_of" in caught.value.fix
    assert sink.read("events", Role.ACCEPTED, as_of=1).read_all().num_rows == 1
