"""Entries for broken references are ready to be read again when what they lack has come, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from builders import HomeBuilder
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.core.receipts import KnownTable, OutputCounts, Receipt
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.sentinel.commit import commits
from casparian_flow.store import tables
from casparian_flow.store.facts import facts_of

KNOWN = Rule("known", RuleKind.REFERENCE, ("user", "realm"), table="users", references=("id", "realm"))
VISITS = Contract("visits", 1, (ContractColumn("user", "int64"), ContractColumn("realm", "string")), rules=(KNOWN,))
ORPHANS = QuarantineGroup("visits", KNOWN.code, "user, realm", "", 1, "", "")
TYPING = QuarantineGroup("visits", "cf.cast", "user", "", 1, "", "")


@pytest.fixture
def past(tmp_path: Path) -> Iterator[HomeBuilder]:
    with HomeBuilder(tmp_path / "home") as builder:
        yield builder


def states_after(past: HomeBuilder, known: int) -> dict[str, str]:
    """What becomes of entries of a job that is recorded, by code; it knew the keys as of that log entry."""
    location = past.location(past.source(b"/visits"), "visits.csv")
    receipt = Receipt(
        counts=(OutputCounts(table="visits", emitted=2, accepted=0, quarantined=2),),
        outputs=(),
        groups=(ORPHANS, TYPING),
        known=(KnownTable(table="users", seq=known),),
        isolation="process",
        seconds=1.0,
        bytes_read=1,
    )
    text = msgspec.json.encode(receipt).decode()
    job = past.job(location, past.version(location, b"v"), past.parser("visits"), "committing", receipt=text)
    with past.database.transaction() as connection:
        commits.record(connection, [facts_of(connection, job)], {"visits": VISITS}, 1)
        entries = connection.execute(select(tables.quarantine).where(tables.quarantine.c.job_id == job)).all()
    return {entry.code: entry.state for entry in entries}


@pytest.mark.parametrize(("known", "state"), [(4, "fix_ready"), (5, "open")])
def test_rows_that_came_while_a_file_was_read_are_not_missed(past: HomeBuilder, known: int, state: str) -> None:
    location = past.location(past.source(), "users.csv")
    job = past.job(location, past.version(location, b"u"), past.parser("users"))
    past.commit(table="users", seq=5, job_id=job, is_recorded=True)
    assert states_after(past, known) == {KNOWN.code: state, TYPING.code: "open"}
