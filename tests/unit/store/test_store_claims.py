from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.dialects import mssql, postgresql

from builders import HomeBuilder
from casparian_flow.store import claims
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database


def queue(past: HomeBuilder, *jobs: dict[str, int]) -> list[int]:
    location = past.location(past.source())
    version, parser = past.version(location), past.parser()
    return [past.job(location, version, parser, "queued", attempt=0, **changes) for changes in jobs]


def claimed(database: Database, now_ns: int = 100, *, oldest_first: bool = False) -> int | None:
    with database.transaction() as connection:
        row = job_store.claim(connection, "w", "boot", now_ns, 50, oldest_first=oldest_first)
    return None if row is None else int(row.id)


def test_the_highest_priority_goes_first_then_the_oldest(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        low, high, also_high = queue(past, {"priority": 10}, {"priority": 100}, {"priority": 100})
        assert [claimed(past.database) for _ in range(4)] == [high, also_high, low, None]


def test_the_oldest_is_not_starved_by_priority(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        low, _high = queue(past, {"priority": 10}, {"priority": 100})
        assert claimed(past.database, oldest_first=True) == low


@pytest.mark.parametrize(("oldest_first", "index"), [(False, "ix_cf_jobs_claim"), (True, "ix_cf_jobs_oldest")])
def test_a_claim_walks_an_index_and_sorts_nothing(tmp_path: Path, oldest_first: bool, index: str) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        statement, given = job_store.CLAIM[oldest_first]._compiled
        values = given | {"worker": "w", "holder": "boot", "now_ns": 100, "lease_until_ns": 150}
        plan = [row[3] for row in past.database.driver.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any(step.endswith(f"USING INDEX {index}") for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


def test_a_claim_says_how_large_the_file_is(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        queue(past, {"priority": 10})
        with past.database.transaction() as connection:
            row = job_store.claim(connection, "w", "boot", 100, 50, oldest_first=False)
            assert row is not None
            size = past.database.driver.execute("SELECT size FROM scout_versions WHERE id = ?", (row.version_id,))
            assert (row.size,) == size.fetchone()


def test_a_job_in_its_pause_waits_until_it_is_due(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        [job] = queue(past, {"priority": 10, "not_before_ns": 500})
        assert claimed(past.database, 499) is None
        assert claimed(past.database, 500) == job


def test_a_claim_counts_the_attempt_and_sets_the_lease(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        [job] = queue(past, {"priority": 10})
        claimed(past.database, 100)
        row = past.database.driver.execute(
            "SELECT state, attempt, worker, lease_until_ns FROM cf_jobs WHERE id = ?", (job,)
        ).fetchone()
        assert tuple(row) == ("dispatched", 1, "w", 150)


def test_two_claimers_over_one_file_never_get_the_same_job(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        jobs = queue(past, *({"priority": 10},) * 20)
        other = Database(past.home.state)
        try:
            taken = [claimed(database) for _ in range(10) for database in (past.database, other)]
        finally:
            other.close()
        assert sorted(filter(None, taken)) == sorted(jobs)


ORDERED = "ORDER BY cf_jobs.priority DESC, cf_jobs.id"


@pytest.mark.parametrize(
    ("statement", "dialect", "parts"),
    [
        (
            claims.claim_on_postgresql(),
            postgresql.dialect(),
            [f"{ORDERED}", "LIMIT 1 FOR UPDATE SKIP LOCKED", "RETURNING"],
        ),
        (
            claims.claim_on_mssql(),
            mssql.dialect(),
            ["WITH next_jobs AS", "WITH (ROWLOCK, READPAST, UPDLOCK)", "OUTPUT inserted.id", ORDERED],
        ),
    ],
    ids=["postgresql", "mssql"],
)
def test_the_other_databases_pass_over_what_another_claimer_holds(
    statement: object, dialect: object, parts: list[str]
) -> None:
    text = " ".join(str(statement.compile(dialect=dialect)).split())  # type: ignore[attr-defined]
    assert text.count("UPDATE cf_jobs SET") == 1
    for part in ["state='dispatched'", "attempt=(cf_jobs.attempt +", "cf_jobs.state = 'queued'", *parts]:
        assert part in text, text
