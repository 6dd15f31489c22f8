"""What a worker tells where values may not be seen."""

from __future__ import annotations

import msgspec
import pytest

from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.errors import (
    CasparianError,
    ContractFrozen,
    InvariantBroken,
    ParserCrashed,
    ParserFailed,
    ParserRaised,
    ParserRefused,
    SinkUnavailable,
    SourceChanged,
    UsageError,
)
from casparian_flow.core.jobs import LogLine
from casparian_flow.core.receipts import DriftNote, VerdictNote
from casparian_flow.protocol.messages import ParserOrder
from casparian_flow.publish.discover import SHIPPED_FOLDER
from casparian_flow.schema.closed_verdicts import closed_verdict
from casparian_flow.worker.faults import host_fault
from casparian_flow.worker.treating import closed_error, closed_line, is_closed, is_ours, treatments_in

OPEN = Contract("open", 1, (ContractColumn("a", "string"),))
CLOSED = Contract("closed", 1, (ContractColumn("a", "string", sensitivity="personal"),))
DECLARED = Contract("declared", 1, CLOSED.columns, origin=Origin.DECLARED)


def order(tables: str = "topic", declared: tuple[str, ...] = ()) -> ParserOrder:
    return ParserOrder(
        name="edr",
        label="edr@1",
        path="/plugins/edr.py",
        artifact_hash="",
        env_hash="",
        tables=tables,
        requires=[],
        declared=list(declared),
        shares_process=False,
        options={},
    )


@pytest.mark.parametrize(
    ("parser", "contracts", "closed"),
    [
        (order("file"), [OPEN], False),
        (order("file"), [OPEN, CLOSED], True),
        (order(declared=("open",)), [OPEN, CLOSED], False),
        (order(declared=("open", "closed")), [OPEN, CLOSED], True),
        (order(), [OPEN, DECLARED], False),
        (order(), [OPEN, CLOSED], True),
    ],
)
def test_a_parser_is_closed_if_a_table_of_its_may_be(
    parser: ParserOrder, contracts: list[Contract], closed: bool
) -> None:
    assert is_closed(parser, {each.table: each for each in contracts}) is closed


def test_tables_without_a_contract_are_closed_where_their_parser_is() -> None:
    contracts = {each.table: each for each in (OPEN, CLOSED)}
    assert treatments_in("closed", contracts, b"", order()) is not None
    assert treatments_in("other", contracts, b"", order(declared=("open",))) is None
    assert treatments_in("other", contracts, b"", order()) is not None


def test_of_an_open_table_beside_a_closed_one_only_the_declared_columns_are_open() -> None:
    contracts = {each.table: each for each in (OPEN, CLOSED)}
    assert treatments_in("open", contracts, b"", order(declared=("open",))) is None
    treated = treatments_in("open", contracts, b"", order(declared=("open", "closed")))
    assert treated is not None
    known = DriftNote(table="open", axis="type", column="a", detail="", rows=1, samples=("x8",))
    assert treated.drift(known) == known
    unknown = DriftNote(table="open", axis="new_column", column="b", detail="", rows=1, samples=("SECRET",))
    assert treated.drift(unknown).samples == ("‹undeclared 6 chars›",)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ParserRaised("edr: ValueError: SECRET", where="/plugins/edr.py:3 in parse", why="trace SECRET"), "ValueError"),
        (ParserRaised("edr: my.Error", where="/plugins/edr.py:3 in parse"), "my.Error"),
        (ParserRaised("edr: what SECRET: is this"), "ParserRaised"),
        (ParserRefused("edr: SECRET", why="SECRET"), "ParserRefused"),
        (ParserFailed("column 'a' cannot be read", why="SECRET"), "ParserFailed"),
        (UsageError("SECRET", where="SECRET"), "UsageError"),
        (ParserCrashed("edr: its process was ended by SIGSEGV", why="stderr: SECRET"), "SIGSEGV"),
        (SinkUnavailable("the target is full", where="parquet:///x", why="SECRET"), "the target is full"),
        (InvariantBroken("the host failed: SECRET"), "the host failed"),
    ],
)
def test_an_error_keeps_its_kind_and_loses_its_words(error: CasparianError, message: str) -> None:
    closed = closed_error(order(), error)
    assert type(closed) is type(error) and (closed.code, closed.transient) == (error.code, error.transient)
    assert message in closed.message
    assert "SECRET" not in repr([closed.message, closed.where, closed.why, closed.fix, str(closed)])
    if isinstance(error, ParserFailed) and error.where:
        assert closed.why == error.where, "the place is told"


def test_a_fault_of_ours_keeps_its_place() -> None:
    try:
        raise KeyError("SECRET")
    except KeyError as exc:
        closed = closed_error(order(), host_fault(exc))
    assert closed.message == "the host failed"
    assert closed.why.startswith("KeyError in test_a_fault_of_ours_keeps_its_place, test_worker_treating.py line ")


def test_errors_in_our_words_about_no_value_stay_as_they_are() -> None:
    for error in (SourceChanged("changed", why="why"), ContractFrozen("t@blake3:0 is frozen: no column 'a'", why="w")):
        assert closed_error(order(), error) is error


def test_of_printed_lines_the_places_in_the_parser_are_kept() -> None:
    place = LogLine("stderr", '  File "/plugins/edr.py", line 3, in parse')
    assert closed_line(order(), place) is place
    for text in (
        "SECRET",
        '  File "/SECRET.py", line 3, in parse',
        '  File "/plugins/edr.py", line 3, in parse SECRET',
    ):
        closed = closed_line(order(), LogLine("stdout", text))
        assert closed == LogLine("stdout", f"‹text {len(text)} chars›")


def ours() -> ParserOrder:
    return msgspec.structs.replace(order(), path=f"{SHIPPED_FOLDER}/generic/csv")


def told(parser: ParserOrder, name: str, value: str, runner_up: str | None = None) -> tuple[str, str, str | None]:
    kept = closed_verdict(
        VerdictNote(name=name, value=value, confidence=0.9, runner_up=runner_up), is_ours=is_ours(parser)
    )
    assert kept.confidence == 0.9
    return kept.name, kept.value, kept.runner_up


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoding", "utf-8"),
        ("newline", "crlf"),
        ("delimiter", ";"),
        ("quote", "none"),
        ("escape", "double"),
    ],
)
def test_of_verdicts_those_about_the_form_of_a_file_are_kept_if_it_is_one_that_files_have(
    name: str, value: str
) -> None:
    for parser in (order(), ours()):
        assert told(parser, name, value) == (name, value, None)
        assert told(parser, name, "SECRET", "SECRET2") == (name, "‹text 6 chars›", "‹text 7 chars›")


@pytest.mark.parametrize(
    ("name", "value", "runner_up"),
    [
        ("t2.delimiter", ";", ","),
        ("header", "1", "0"),
        ("t12.header", "again at byte 1204", None),
        ("trailing_delimiter", "true", None),
        ("tables", "2", None),
        ("bytes", "header 21, rows 3080", None),
        ("completeness", "damaged: 5 of 8 records read; 1 damaged or missing chunks", None),
    ],
)
def test_numbers_and_closed_words_are_told_if_the_parser_is_ours(name: str, value: str, runner_up: str | None) -> None:
    assert told(ours(), name, value, runner_up) == (name, value, runner_up)
    assert told(order(), name, value)[:2] == (f"‹text {len(name)} chars›", f"‹text {len(value)} chars›")


def test_nothing_else_is_told_of_a_verdict_not_even_its_name() -> None:
    for parser in (order(), ours()):
        assert told(parser, "SECRET", "SECRET") == ("‹text 6 chars›", "‹text 6 chars›", None)
        assert told(parser, "SECRET.quote", '"') == ("‹text 12 chars›", "‹text 1 chars›", None)
        assert told(parser, "preamble", "SECRET")[1] == "‹text 6 chars›"
        assert told(parser, "header", "8812345678 (SECRET)")[1] == "‹text 19 chars›"
    assert told(ours(), "preamble", "SECRET")[0] == "preamble"
