"""Honest parsers in real guests: every library they may use, every form they may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.errors import ParserInvalid, ParserRaised, ParserRefused, ParserTransient
from casparian_flow.core.receipts import VerdictNote
from casparian_flow.protocol.messages import Limits
from casparian_flow.sdk.emit import FIELD_ENCODING
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Batch, Ended, Noted, RejectedRecord
from guest_orders import a_job_order, a_parser_order, rows_of, run_parser, said, the_failure, write_parser


def test_a_handler_that_publishes_frames_of_both_libraries(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import pandas, polars
        from casparian_flow.sdk import BasePlugin, PluginMetadata

        MANIFEST = PluginMetadata(pattern="*.csv", topic="sales")

        class Handler(BasePlugin):
            def configure(self, ctx, config):
                self.scale = config["scale"]

            def execute(self, path):
                self.publish("sales", pandas.DataFrame({"n": [self.scale], "t": ["x"]}))
                yield "more", polars.DataFrame({"n": [2], "t": ["y"]})
        """,
        scale=10,
    )
    assert rows_of(events, "sales") == [{"n": 10, "t": "x"}]
    assert rows_of(events, "more") == [{"n": 2, "t": "y"}]
    assert events[-1] == Ended(1, {"sales": 1, "more": 1}, 0)


def test_a_folder_parser_reads_its_file_and_reports_what_it_could_not(tmp_path: Path) -> None:
    folder = tmp_path / "lines"
    folder.mkdir()
    write_parser(folder, "def split(line):\n    return line.split(b',')\n", "engine.py")
    write_parser(
        folder,
        """
        from engine import split
        from casparian_flow.sdk import Rejected, Rows, Verdict

        def parse(path, context):
            yield Verdict("delimiter", ",", 0.9, ";")
            at = 0
            for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
                start, at = at, at + len(line)
                cells = split(line.strip())
                if len(cells) != 2:
                    yield Rejected("", "cf.csv.arity", f"{len(cells)} fields", start, at, raw=line, source_row=number)
                    continue
                row = {"a": cells[0].decode(), "b": cells[1].decode()}
                yield Rows("", [row], source_row=[number], start=[start], end=[at])
        """,
        "parser.py",
    )
    source = tmp_path / "file.csv"
    source.write_bytes(b"1,2\nbroken\n3,4\n")
    events = list(said(a_parser_order(folder), [a_job_order(1, source)], Limits(), CancelToken()))
    [batch] = [event for event in events if isinstance(event, Batch)]
    assert batch.batch.to_pylist() == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert [column.to_pylist() for column in (batch.source_row, batch.start, batch.end) if column is not None] == [
        [1, 3],
        [0, 11],
        [4, 15],
    ]
    assert Noted(1, (VerdictNote(name="delimiter", value=",", confidence=0.9, runner_up=";"),)) in events
    assert RejectedRecord(1, "", "cf.csv.arity", "1 fields", 4, 11, None, b"broken\n", 2) in events
    assert events[-1] == Ended(1, {"": 3}, 0)


def test_values_and_metadata_survive_the_trip(tmp_path: Path) -> None:
    events = run_parser(tmp_path, "def parse(path): return 'x', [{'a': 2**70, 'b': {'k': [1]}}, {'a': 'text'}]\n")
    [batch] = [event for event in events if isinstance(event, Batch)]
    assert batch.batch.to_pydict() == {"a": ["1180591620717411303424", '"text'], "b": ['{"k":[1]}', None]}
    assert [field.metadata for field in batch.batch.schema] == [{FIELD_ENCODING: b"json"}] * 2


def test_a_parser_without_pandas_does_not_pay_for_it(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import sys
        def parse(path):
            yield "x", [{"at": 1}] * 40_000
            yield "y", [{"loaded": "pan" + "das" in sys.modules}]
        """,
    )
    assert rows_of(events, "y") == [{"loaded": False}]


def test_a_path_that_is_not_text_reaches_the_parser_unchanged(tmp_path: Path) -> None:
    raw = str(tmp_path).encode() + b"/caf\xe9.csv"
    Path(raw.decode("utf-8", "surrogateescape")).write_bytes(b"found")
    order = a_job_order(1).__class__(**{**_fields(a_job_order(1)), "path": raw})
    parser = write_parser(tmp_path, "def parse(path): yield 'x', [{'data': path.read_bytes()}]\n")
    assert rows_of(list(said(a_parser_order(parser), [order], Limits(), CancelToken()))) == [{"data": b"found"}]


def _fields(order: object) -> dict[str, object]:
    return {name: getattr(order, name) for name in order.__struct_fields__}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("from casparian_flow.sdk import *\ndef parse(path): raise PermanentError('no BIFF header')", ParserRefused),
        ("from casparian_flow.sdk import *\ndef parse(path): raise TransientError('no BIFF header')", ParserTransient),
        ("def parse(path): raise SystemExit('no BIFF header')", ParserRaised),
        ("def parse(path): raise ValueError('no BIFF header \\ud800')", ParserRaised),
        ("raise ImportError('no BIFF header')", ParserRaised),
    ],
)
def test_what_a_parser_raises_reaches_the_host_as_its_own_kind(
    tmp_path: Path, source: str, error: type[Exception]
) -> None:
    events = run_parser(tmp_path, source, jobs=(1, 2))
    errors = [event.error for event in events if hasattr(event, "error")]
    assert [type(one) for one in errors] == [error, error]
    assert all("no BIFF header" in one.message for one in errors)


def test_a_file_without_an_entry_point_is_no_parser(tmp_path: Path) -> None:
    assert isinstance(the_failure(run_parser(tmp_path, "x = 1\n")).error, ParserInvalid)


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    failure = the_failure(run_parser(tmp_path, "import no_such_library\ndef parse(path): ...\n"))
    assert "no_such_library" in failure.error.message


def test_closing_stdout_does_not_hurt(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import os, sys
        def parse(path):
            sys.stdout.close()
            os.close(2)
            yield "x", [{"n": 1}]
        """,
        jobs=(1, 2),
    )
    assert len(rows_of(events)) == 1
    assert any(isinstance(event, Ended) for event in events)


def test_frames_of_a_library_that_was_not_named_are_refused_and_never_changed(tmp_path: Path) -> None:
    source = """
        import importlib
        def parse(path):
            yield "x", importlib.import_module("pan" + "das").DataFrame({"n": [1]})
        """
    assert 'requires=["pandas"]' in the_failure(run_parser(tmp_path, source)).error.message


def test_no_events_come_of_no_jobs_or_after_a_cancel(tmp_path: Path) -> None:
    stop = CancelToken()
    stop.cancel()
    assert run_parser(tmp_path, "def parse(path): ...\n", stop=stop) == []
    assert run_parser(tmp_path, "def parse(path): ...\n", jobs=()) == []
