"""What a person sees of rows that did not fit."""

from __future__ import annotations

import io

from msgspec import to_builtins

from casparian_flow.clients.cli.commands.approval import COLUMNS as PROPOSAL_COLUMNS
from casparian_flow.clients.cli.commands.quarantine import COLUMNS, LONGEST_SHOWN, _lines
from casparian_flow.clients.cli.render import Kind, Paper, write_list
from casparian_flow.operations.quarantine.causes import GroupEntry
from casparian_flow.operations.quarantine.rows import GroupDetail, RejectedRow

REASON = "cf.csv.arity: 3 fields where the table has 5"


def a_group(rows: int) -> GroupEntry:
    return GroupEntry(
        group="ab12",
        table="sales",
        code="cf.csv.arity",
        column="",
        shape="",
        rows=rows,
        files=1,
        message="3 fields where the table has 5",
        sample="1,2,3",
        job="7",
    )


def a_row(raw: str) -> RejectedRow:
    return RejectedRow(
        row="c0ffee:2",
        path="a.csv",
        source_row=2,
        start=26,
        end=30,
        locator=None,
        message="3 fields where the table has 5",
        errors=[REASON],
        values=None,
        raw=raw,
        job="7",
    )


def test_a_row_is_shown_with_its_reason_and_a_cut_list_says_how_many_rows_are_left_and_how_to_see_them() -> None:
    lines = list(_lines(GroupDetail(group=a_group(3), rows=[a_row("1,2,3")]), "…"))
    assert lines == [
        "3 rows in 1 file of table sales: 3 fields where the table has 5",
        "open, nobody's, 0 days old",
        "",
        "a.csv record 2 bytes 26-30, row c0ffee:2",
        f"  {REASON}",
        "  raw: 1,2,3",
        "",
        "2 more: casparian quarantine show ab12 --rows 3",
    ]


def test_thousands_of_bytes_of_one_row_are_cut_on_the_screen() -> None:
    lines = list(_lines(GroupDetail(group=a_group(1), rows=[a_row("\0" * 4096)]), "…"))
    assert lines[-1].startswith("  raw: \\x00") and "…" in lines[-1]
    assert len(lines[-1]) == LONGEST_SHOWN + len("  raw: ")


def test_in_plain_text_the_sample_is_cut_and_the_message_is_whole() -> None:
    stream = io.StringIO()
    group = to_builtins(a_group(1)) | {"sample": "\0" * 4096, "message": "m" * 200}
    write_list(Paper(stream, "plain"), "s", "groups", [group], COLUMNS, tuple(group), {})
    message, sample = stream.getvalue().rstrip("\n").split("\t")[8:10]
    assert (message, len(sample)) == ("m" * 200, 60)


def test_on_a_narrow_screen_the_code_and_the_fix_can_still_be_copied() -> None:
    stream = io.StringIO()
    group = to_builtins(a_group(1204)) | {"code": "cf.cast.float64", "column": "amount", "fix": "--option null=NA"}
    write_list(Paper(stream, "table", width=100), "s", "groups", [group], COLUMNS, tuple(group), {})
    heading, line = stream.getvalue().splitlines()
    assert {"cf.cast.float64", "amount"} <= set(line.split()) and line.endswith("  --option null=NA")
    assert "FIRST" not in heading and max(map(len, (heading, line))) <= 100


def test_on_a_narrow_screen_what_is_proposed_can_be_read() -> None:
    stream = io.StringIO()
    names = {column.name: "restrictive" for column in PROPOSAL_COLUMNS if column.kind is Kind.TEXT}
    counts = {column.name: 12 for column in PROPOSAL_COLUMNS if column.kind is Kind.COUNT}
    what = "rename customer to client"
    proposal = names | counts | {"id": "A-5", "table": "sales", "what": what, "is_self_approved": False}
    write_list(Paper(stream, "table", width=100), "s", "proposals", [proposal], PROPOSAL_COLUMNS, tuple(proposal), {})
    assert what in stream.getvalue() and max(map(len, stream.getvalue().splitlines())) <= 100
