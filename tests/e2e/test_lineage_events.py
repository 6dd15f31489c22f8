"""Lineage events: what runs did, as others read it, once and whole whatever happens to the process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.lineage.events import export
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.doing.run.run import run
from casparian_flow.operations.lineage.events import ExportLineage, LineageExported
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.run import RunFiles, RunReply
from casparian_flow.settings import Home, LineageSettings, Settings
from casparian_flow.wiring import open_acting
from openlineage_schema import check_event, parsed

PARSER = """
def parse(path):
    raise ValueError("not today")
    yield "t", []
"""


def go(home: Home, data: Path, settings: Settings | None = None) -> RunReply:
    with open_acting(home, settings or Settings(), data, lambda _event, _values: None) as acting:
        return _run(acting, data)


def _run(acting: Acting, data: Path) -> RunReply:
    parser = str(data.parent / "parser.py") if (data.parent / "parser.py").exists() else None
    return run(acting, RunFiles(selection=MakePlan(paths=(str(data),), parser=parser)))


def events_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "sales_1.csv").write_text("Id,Net amount\n1,2.5\n2,3.5,4\n3,4.5\n")
    return folder


def test_what_a_run_did_is_told_in_events_that_the_standard_allows(data: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    go(home, data)
    with open_reading(home, Settings(), tmp_path) as reading:
        said: LineageExported = export(reading, ExportLineage(to="events.ndjson"))
    events = events_in(tmp_path / "events.ndjson")
    assert (said.runs, said.events, len(events)) == (1, 4, 4)
    for event in events:
        check_event(event)
        assert parsed(event).run.runId == event["run"]["runId"]
    assert [event["eventType"] for event in events] == ["START", "START", "COMPLETE", "COMPLETE"]
    run_start, _, done, run_end = events
    assert run_start["run"]["runId"] == run_end["run"]["runId"] == done["run"]["facets"]["parent"]["run"]["runId"]
    [source] = done["inputs"]
    assert source["name"] == str(data / "sales_1.csv")
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 3
    table, rejected = done["outputs"]
    assert (table["name"], rejected["name"]) == ("sales", "quarantine.sales")
    assert [each["outputFacets"]["outputStatistics"]["rowCount"] for each in (table, rejected)] == [2, 1]
    assert [each["name"] for each in table["facets"]["schema"]["fields"]] == ["Id", "Net amount"]
    lineage = table["facets"]["columnLineage"]["fields"]["Net amount"]["inputFields"]
    assert [(each["name"], each["field"]) for each in lineage] == [(source["name"], "Net amount")]


def test_a_run_in_which_nothing_landed_is_told_as_failed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "parser.py").write_text(PARSER)
    home = Home(tmp_path / "home")
    go(home, data)
    with open_reading(home, Settings(), tmp_path) as reading:
        export(reading, ExportLineage(to="events.ndjson"))
    events = events_in(tmp_path / "events.ndjson")
    for event in events:
        check_event(event)
    assert [event["eventType"] for event in events] == ["START", "START", "FAIL", "FAIL"]
    assert "not today" in events[2]["run"]["facets"]["errorMessage"]["message"]


@pytest.fixture
def told(tmp_path: Path) -> Settings:
    return Settings(lineage=LineageSettings(file=str(tmp_path / "out" / "lineage.ndjson")))


def test_every_run_is_told_to_the_file_once_from_when_it_was_chosen(data: Path, told: Settings, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    go(home, data)  # nobody is to be told yet
    path = Path(told.lineage.file)
    for rows in (2, 3):
        (data / "sales_2.csv").write_text("Id,Net amount\n" + "5,1.5\n" * rows)
        go(home, data, told)
        events = events_in(path)
        for event in events:
            check_event(event)
        assert len(events) == 4 * (rows - 1)
    assert len({(event["run"]["runId"], event["eventType"]) for event in events}) == len(events)
    go(home, data, told)  # with nothing to do it is a run, too
    assert [event["eventType"] for event in events_in(path)[len(events) :]] == ["START", "COMPLETE"]


@pytest.mark.parametrize("written", [700, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 1, 10_000_000))])
def test_a_run_whose_telling_was_broken_off_is_told_to_its_end_and_not_twice(
    data: Path, told: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    home, path = Home(tmp_path / "home"), Path(told.lineage.file)
    path.parent.mkdir()
    path.write_text('{"of": "somebody else"}\n')

    class Killed(BaseException):
        pass

    class Broken:
        """A file of which so many bytes reach the disk before the process dies."""

        def __init__(self, file: IO[bytes]) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def write(self, data: bytes) -> int:
            self._file.write(data[:written])
            self._file.flush()
            raise Killed

    opened = Path.open

    @contextmanager
    def broken(self: Path, mode: str = "r", **options: Any) -> Iterator[Any]:
        with opened(self, mode, **options) as file:
            yield Broken(file) if self == path else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", broken)
        with pytest.raises(Killed):
            go(home, data, told)
    with open_acting(home, told, data, lambda _event, _values: None):
        pass
    lines = path.read_text().splitlines()
    assert lines[0] == '{"of": "somebody else"}'
    assert [json.loads(line)["eventType"] for line in lines[1:]] == ["START", "START", "COMPLETE", "COMPLETE"]


@pytest.mark.slow
def test_a_file_that_cannot_be_written_keeps_no_run_from_landing(data: Path, told: Settings, tmp_path: Path) -> None:
    home, path = Home(tmp_path / "home"), Path(told.lineage.file)
    path.mkdir(parents=True)
    heard: list[str] = []
    with open_acting(home, told, data, lambda event, _values: heard.append(event)) as acting:
        assert _run(acting, data).accepted == 2
    assert "lineage.failed" in heard
    path.rmdir()
    with open_acting(home, told, data, lambda _event, _values: None):
        pass
    assert len(events_in(path)) == 4
