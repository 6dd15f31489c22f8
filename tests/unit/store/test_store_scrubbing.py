"""What the control database repeats of erased bytes goes, wherever it stands, and what is left says by what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from casparian_flow.schema.notes import without_value
from casparian_flow.store import repairs
from casparian_flow.store.database import Database
from casparian_flow.store.scrubbing import scrub

ERASED, OTHER = "blake3:" + "ab" * 32, "blake3:" + "cd" * 32
PLANTED = "Zy0n-9471"
NOTE = f"would be int64 but for '{PLANTED}' ({'ab' * 6}:3)"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = Database(tmp_path / "state.sqlite3")
    with database.transaction() as connection:
        yield connection
    database.close()


def insert(connection: Connection, table: str, **values: object) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("?" for _ in values)
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def one(connection: Connection, query: str) -> tuple[object, ...]:
    (row,) = connection.exec_driver_sql(query).all()
    return tuple(row)


def erase(connection: Connection) -> None:
    scrub(connection, {ERASED}, without_value, by="X-9", now_ns=7)


@pytest.mark.parametrize(("source_hash", "living"), [(ERASED, 0), (OTHER, 1)])
def test_a_repair_of_erased_bytes_holds_no_more_and_keeps_no_value(
    connection: Connection, source_hash: str, living: int
) -> None:
    new = repairs.NewRepair(
        source_hash=source_hash, parser="csv", table="t", source_row=1, before={"n": PLANTED}, after={"n": "1"},
        author="ann", reason="r",
    )  # fmt: skip
    number = repairs.add(connection, new, 3)
    erase(connection)
    assert len(repairs.list_repairs(connection, with_revoked=False)) == living
    kept = repairs.one(connection, number)
    assert (kept["after"], kept["revoked_at_ns"]) == (('{"n": "1"}', None) if living else ("{}", 7))


def test_a_repair_that_was_revoked_before_keeps_when_that_was(connection: Connection) -> None:
    new = repairs.NewRepair(
        source_hash=ERASED, parser="csv", table="t", source_row=1, before={}, after={"n": "1"}, author="a", reason="r"
    )  # fmt: skip
    number = repairs.add(connection, new, 3)
    repairs.revoke(connection, number, 5)
    erase(connection)
    assert repairs.one(connection, number)["revoked_at_ns"] == 5


def amendment(connection: Connection, state: str, *, digest: str | None, why: str | None = None) -> None:
    column = {"name": "n", "type": "string", "note": NOTE}
    body = json.dumps({"kind": "amendment", "operations": [{"op": "add", "column": column}]})
    insert(
        connection, "cf_proposals", id=1, kind="amendment", state=state, signature="s", table_name="t", subject="",
        base_digest="b", body=body, origin="person", proposed_by="ann", drafted_at_ns=1, digest=digest, void_reason=why,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "digest", "before", "became", "why"),
    [
        ("draft", None, None, "draft", None),
        ("proposed", "d", None, "void", "its text was erased by X-9"),
        ("applied", "d", None, "applied", "its text was erased by X-9"),
        ("rejected", "d", "bob: no", "rejected", "bob: no; its text was erased by X-9"),
    ],
)
def test_the_note_of_a_column_that_an_amendment_adds_loses_its_value_and_the_proposal_says_so(
    connection: Connection, state: str, digest: str | None, before: str | None, became: str, why: str | None
) -> None:
    amendment(connection, state, digest=digest, why=before)
    erase(connection)
    body, now, said = one(connection, "SELECT body, state, void_reason FROM cf_proposals")
    assert PLANTED not in str(body) and "values not shown here" in str(body)
    assert (now, said) == (became, why)


@pytest.mark.parametrize(("source_hash", "said"), [(ERASED, "erased by X-9"), (OTHER, f"a: cf.x: {PLANTED}")])
def test_why_a_replay_of_erased_bytes_stopped_is_told_no_more(
    connection: Connection, source_hash: str, said: str
) -> None:
    insert(connection, "scout_sources", id=1, root=b"/e", only=b"", display="/e", added_at_ns=1)
    insert(
        connection, "scout_locations", id=1, source_id=1, rel_path=b"a", display="a", kind="file", size=3, mtime_ns=1,
        ctime_ns=1, inode=1, is_dirty=0, last_scan_id=1, current_version_id=1,
    )  # fmt: skip
    insert(connection, "scout_hashes", source_hash=source_hash, size=3, first_seen_at_ns=1)
    insert(
        connection, "scout_versions", id=1, location_id=1, source_hash=source_hash, size=3, mtime_ns=1,
        content="delimited", content_reason="why", detected_at_ns=1,
    )  # fmt: skip
    insert(
        connection, "cf_replays", id=1, kind="manual", causes="[]", stage="stopped", selection_digest="x", canary=1,
        stop_reason=f"a: cf.x: {PLANTED}", asked_by="ann", reason="r", made_at_ns=1,
    )  # fmt: skip
    insert(connection, "cf_replay_files", replay_id=1, version_id=1, old_job=1, is_canary=1, expected="{}")
    erase(connection)
    assert one(connection, "SELECT stop_reason FROM cf_replays") == (said,)


def test_a_first_contract_whose_text_was_erased_waits_for_nobody(connection: Connection) -> None:
    contract = {"name": "t", "version": 1, "columns": [{"name": "n", "type": "string", "note": NOTE}]}
    insert(
        connection, "cf_proposals", id=1, kind="contract", state="proposed", signature="s", table_name="t", subject="1",
        base_digest="b", body=json.dumps({"kind": "contract", "contract": contract}), origin="system",
        proposed_by="casparian", drafted_at_ns=1, digest="d",
    )  # fmt: skip
    insert(
        connection, "schema_contracts", id=1, table_name="t", version=1, state="proposed", origin="adopted",
        hash="h", digest="d", body=json.dumps(contract), evidence="[]", proposed_at_ns=1, proposed_by="casparian",
        proposal_id=1,
    )  # fmt: skip
    erase(connection)
    assert one(connection, "SELECT state, void_reason FROM cf_proposals") == ("void", "its text was erased by X-9")
    state, body = one(connection, "SELECT state, body FROM schema_contracts")
    assert state == "void" and PLANTED not in str(body)
