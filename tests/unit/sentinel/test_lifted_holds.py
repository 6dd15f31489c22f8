"""A file that was held is judged by what was counted of it, and never again under the tolerances that held it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.holds import Hold, judging_hashes, tolerances_digest
from casparian_flow.core.receipts import OutputCounts
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.core.tolerances import Per, Tolerance
from casparian_flow.core.treatments import Treatment
from casparian_flow.sentinel.planning.held_files import Bounds, lifted
from casparian_flow.store import holds
from casparian_flow.store.database import Database

MB = 1_000_000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = Database(tmp_path / "state.sqlite3")
    with database.transaction() as connection:
        yield connection
    database.close()


def insert(connection: Connection, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join("?" for _ in values)
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def a_contract(*tolerances: Tolerance, column: str = "n") -> dict[str, Contract]:
    return {"t": Contract("t", 1, (ContractColumn(column, "int64"),), tolerance=tolerances)}


def hold(
    connection: Connection,
    job: int,
    code: str,
    rows: tuple[int, int],
    contracts: dict[str, Contract],
    *,
    share: float = 1.0,
    size: int = 0,
    is_missing: bool = False,
) -> None:
    """A file of its own, of which so many rows were accepted and rejected, and that did not land."""
    if job == 1:
        insert(connection, "scout_sources", id=1, root=b"/e", only=b"", display="/e", added_at_ns=1)
        insert(
            connection, "cf_parsers", id=1, name="csv", version="1", artifact_hash="a", env_hash="e", path="p",
            origin="shipped", status="active", manifest="{}", registered_at_ns=1,
        )  # fmt: skip
    insert(
        connection, "scout_locations", id=job, source_id=1, rel_path=b"%d" % job, display=str(job), kind="file",
        size=3, mtime_ns=1, ctime_ns=1, inode=1, is_dirty=0, is_missing=is_missing, last_scan_id=1,
        current_version_id=job,
    )  # fmt: skip
    insert(connection, "scout_hashes", source_hash=f"h{job}", size=3, first_seen_at_ns=1)
    insert(
        connection, "scout_versions", id=job, location_id=job, source_hash=f"h{job}", size=3, mtime_ns=1,
        content="delimited", content_reason="why", detected_at_ns=1,
    )  # fmt: skip
    insert(
        connection, "cf_jobs", id=job, plan_id=1, location_id=job, version_id=job, source_hash=f"h{job}", parser_id=1,
        reason="new", config="{}", config_hash="c", routes="[]", base_table="t", state="failed", attempt=1, priority=0,
        queued_at_ns=1, error_code=code,
    )  # fmt: skip
    counts = (OutputCounts(table="t", emitted=sum(rows), accepted=rows[0], quarantined=rows[1]),)
    kept = Hold(
        counts=counts,
        bytes=size,
        tolerances=tolerances_digest(counts, contracts, share),
        contracts=judging_hashes(counts, contracts),
    )
    holds.keep(connection, job, msgspec.json.encode(kept).decode())


@pytest.mark.parametrize(
    ("then", "now", "is_lifted"),
    [
        ((), (), False),
        ((Tolerance(rows=1),), (Tolerance(rows=1),), False),
        ((Tolerance(rows=1),), (Tolerance(rows=4),), True),
        ((Tolerance(rows=1),), (Tolerance(rows=2),), False),
        ((Tolerance(rows=1),), (Tolerance(rows=0),), False),
        ((Tolerance(rows=1),), (), True),  # the share of the settings, which is 1
        ((Tolerance(rows=1, per=Per.RUN),), (Tolerance(rows=1, per=Per.RUN),), False),
    ],
)
def test_another_tolerance_lifts_a_hold_if_the_file_is_within_it(
    connection: Connection, then: tuple[Tolerance, ...], now: tuple[Tolerance, ...], is_lifted: bool
) -> None:
    hold(connection, 1, "over-tolerance", (6, 4), a_contract(*then))
    found = lifted(connection, a_contract(*now), Bounds())
    assert found == ({1: "4 of its 10 rows were rejected, which is tolerated now"} if is_lifted else {})


def test_a_file_that_is_too_small_for_a_ratio_is_told_so(connection: Connection) -> None:
    hold(connection, 1, "over-tolerance", (0, 3), a_contract(Tolerance(rows=1)))
    found = lifted(connection, a_contract(Tolerance(ratio=0.5)), Bounds())
    assert found == {
        1: "3 of its 3 rows were rejected, which is tolerated now: "
        "they are fewer than the 100 from which on the ratio counts"
    }
    assert lifted(connection, a_contract(Tolerance(ratio=0.5, min_sample=3)), Bounds()) == {}


@pytest.mark.parametrize(("share", "is_lifted"), [(0.1, False), (0.05, False), (0.3, False), (0.4, True), (1.0, True)])
def test_the_share_of_the_settings_lifts_as_well(connection: Connection, share: float, is_lifted: bool) -> None:
    hold(connection, 1, "over-tolerance", (6, 4), a_contract(), share=0.1)
    assert set(lifted(connection, a_contract(), Bounds(share=share))) == ({1} if is_lifted else set())


def test_another_contract_lifts_a_hold_whatever_was_counted(connection: Connection) -> None:
    hold(connection, 1, "over-tolerance", (6, 4), a_contract(Tolerance(rows=1)))
    found = lifted(connection, a_contract(Tolerance(rows=1), column="m"), Bounds())
    assert found == {1: "the contract of t changed since it was held"}


@pytest.mark.parametrize(
    ("change", "is_lifted"),
    [
        ({"columns": (ContractColumn("n", "int64", note="9 of 10"),)}, False),
        ({"columns": (ContractColumn("n", "int64", sensitivity="secret"),)}, False),
        ({"columns": (ContractColumn("n", "int64", treatment=Treatment.FIXED, treatment_argument="x"),)}, False),
        ({"version": 2, "origin": Origin.APPROVED}, False),
        ({"columns": (ContractColumn("n", "float64"),)}, True),
        ({"columns": (ContractColumn("n", "int64", aliases=("m",)),)}, True),
        ({"rules": (Rule("r", RuleKind.RANGE, ("n",), low="1"),)}, True),
        ({"drift": ((Axis.MISSING_COLUMN, Mode.FREEZE),)}, True),
    ],
)
def test_a_contract_that_judges_as_before_lifts_no_hold(
    connection: Connection, change: dict[str, Any], is_lifted: bool
) -> None:
    then = a_contract(Tolerance(rows=1))
    hold(connection, 1, "over-tolerance", (6, 4), then)
    assert set(lifted(connection, {"t": replace(then["t"], **change)}, Bounds())) == ({1} if is_lifted else set())


def test_as_many_files_are_read_again_as_the_quarantine_has_room_for(connection: Connection) -> None:
    for job, size in ((1, 2 * MB), (2, 9 * MB), (3, 1 * MB), (4, 1 * MB)):
        hold(connection, job, "quarantine-full", (0, 4), a_contract(), size=size, is_missing=job == 3)
    insert(
        connection, "cf_quarantine_groups", job_id=3, table_name="t", code="c", column_name="n", shape="A", rows=1,
        message="m", sample="s", state="open", is_current=1, bytes=2 * MB,
    )  # fmt: skip
    assert lifted(connection, a_contract(), Bounds(quarantine_bytes=3 * MB)).keys() == {4}
    assert lifted(connection, a_contract(), Bounds(quarantine_bytes=5 * MB)).keys() == {1, 4}
    assert lifted(connection, a_contract(), Bounds()).keys() == {1, 2, 4}
    insert(
        connection, "cf_quarantine_groups", job_id=2, table_name="t", code="c", column_name="n", shape="A", rows=1,
        message="m", sample="s", state="open", is_current=1, bytes=8 * MB,
    )  # fmt: skip
    bounds = Bounds(quarantine_bytes=11 * MB)
    assert lifted(connection, a_contract(), bounds).keys() == {2}, "what it has there already gives way to it"
