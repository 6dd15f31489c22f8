"""Sinks get names, topics get sinks, and nothing of that loses a row or contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import HomeBuilder, open_control
from casparian_flow.clients.control import Control
from casparian_flow.core.errors import NotFound, SinkUnavailable, UsageError
from casparian_flow.core.outputs import SinkMode
from casparian_flow.operations.output.sinks import AddSink, CheckSink, ListSinks, RemoveSink, SinkList
from casparian_flow.operations.output.topics import AddToTopic, ListTopics, RemoveTopic, SetTopic, ShowTopic, TopicEntry
from casparian_flow.settings import Settings


@pytest.fixture
def control(past: HomeBuilder, tmp_path: Path) -> Control:
    """A home with one table in one sink."""
    location = past.location(past.source())
    past.rows(past.job(location, past.version(location), past.parser()), "sales", accepted=10)
    return open_control(past.home, Settings(), tmp_path)


def where(entry: TopicEntry) -> list[tuple[str, SinkMode]]:
    return [(sink.sink.rpartition("/")[2], sink.mode) for sink in entry.sinks]


def test_a_list_has_the_homes_own_sink_and_every_other_that_is_known(control: Control, past: HomeBuilder) -> None:
    control.ask("sink.add", AddSink(uri="parquet://named", name="archive"))
    control.ask("topic.set", SetTopic(topic="sales", sinks=("parquet://topical", "archive")))
    reply = control.ask("sink.list", ListSinks())
    assert isinstance(reply, SinkList)
    found = {entry.sink.rpartition("/")[2]: entry for entry in reply.sinks}
    assert sorted(found) == ["home", "named", "out", "topical"]
    assert [name for name, entry in found.items() if entry.is_default] == ["home"]
    assert (found["out"].tables, found["out"].rows, found["out"].last) == (1, 10, "2026-03-02T10:00:00Z")
    assert (found["named"].name, found["named"].topics) == ("archive", ["sales"])
    assert found["named"].last is None
    assert past.home.default_sink == reply.sinks[0].sink


@pytest.mark.parametrize(
    ("uri", "name", "error"),
    [
        ("parquet://x", "Bad Name", UsageError),
        ("parquet://x", "-x", UsageError),
        ("parquet://x", "a" * 41, UsageError),
        ("parquet://x?table=t", "x", UsageError),
        ("nope", "x", NotFound),
        ("postgres://host/db", "x", SinkUnavailable),
        ("parquet://taken", "x", UsageError),
        ("parquet://x", "taken", UsageError),
    ],
)
def test_what_cannot_be_a_named_sink_is_refused(control: Control, uri: str, name: str, error: type[Exception]) -> None:
    control.ask("sink.add", AddSink(uri="parquet://taken", name="taken"))
    with pytest.raises(error):
        control.ask("sink.add", AddSink(uri=uri, name=name))
    assert len([entry for entry in control.ask("sink.list", ListSinks()).sinks if entry.name]) == 1  # type: ignore[attr-defined]


def test_a_name_is_forgotten_only_when_no_topic_needs_it(control: Control) -> None:
    control.ask("sink.add", AddSink(uri="parquet://named", name="archive"))
    control.ask("topic.set", SetTopic(topic="sales", sinks=("archive",)))
    with pytest.raises(UsageError, match="in use"):
        control.ask("sink.remove", RemoveSink(name="archive"))
    control.ask("topic.remove", RemoveTopic(topic="sales"))
    control.ask("sink.remove", RemoveSink(name="archive"))
    with pytest.raises(NotFound):
        control.ask("sink.remove", RemoveSink(name="archive"))


def test_a_topic_is_set_extended_shown_and_unset(control: Control) -> None:
    assert where(control.ask("topic.show", ShowTopic(topic="sales"))) == [("home", SinkMode.APPEND)]  # type: ignore[arg-type]
    control.ask("topic.set", SetTopic(topic="Sales", sinks=("parquet://a", "parquet://b")))
    control.ask("topic.set", SetTopic(topic="sales", sinks=("parquet://c",)))
    control.ask("topic.add", AddToTopic(topic="sales", sinks=("parquet://d",), mode=SinkMode.REPLACE))
    with pytest.raises(UsageError, match="given twice"):
        control.ask("topic.add", AddToTopic(topic="sales", sinks=("parquet://x", "parquet://c")))
    both = [("c", SinkMode.APPEND), ("d", SinkMode.REPLACE)]
    shown = control.ask("topic.show", ShowTopic(topic="sales__t2"))
    assert isinstance(shown, TopicEntry)
    assert (shown.by, where(shown)) == ("sales", both)
    assert control.ask("topic.show", ShowTopic(topic="sales")).tables == ["sales"]  # type: ignore[attr-defined]
    listed = control.ask("topic.list", ListTopics()).topics  # type: ignore[attr-defined]
    assert [(each.topic, each.sink.rpartition("/")[2], each.mode) for each in listed] == [
        ("sales", *one) for one in both
    ]
    assert control.ask("topic.remove", RemoveTopic(topic="sales")).by is None  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        control.ask("topic.remove", RemoveTopic(topic="sales"))


@pytest.mark.parametrize("topic", ["!!", "", "—"])
def test_what_cannot_name_a_table_is_no_topic(control: Control, topic: str) -> None:
    with pytest.raises(UsageError):
        control.ask("topic.set", SetTopic(topic=topic, sinks=("parquet://a",)))


def test_a_check_shows_what_waits_in_a_sink_and_leaves_nothing_there(
    control: Control, past: HomeBuilder, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    sink = f"parquet://{tmp_path / 'out'}"
    past.commit(sink, "sales", seq=1)
    checked = control.ask("sink.check", CheckSink(sink="parquet://out"))
    assert [(each.table, each.seq) for each in checked.waiting] == [("sales", 1)]  # type: ignore[attr-defined]
    assert checked.is_claimed is False  # type: ignore[attr-defined]
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(SinkUnavailable):
        control.ask("sink.check", CheckSink(sink=f"parquet://{past.home.state}"))
