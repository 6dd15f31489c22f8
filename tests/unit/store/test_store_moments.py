"""When the rows of a job became visible, also where one permit brought the rows of many jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import NOW_NS, SINK, HomeBuilder
from casparian_flow.core.errors import NotFound
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.sealed_json import seal_json
from casparian_flow.store.views.outputs import last_entries_of, sinks_of_tables
from casparian_flow.store.views.versions import landed


def test_jobs_that_were_permitted_together_landed_at_the_same_moment(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        source, parser = past.source(), past.parser()
        jobs = {}
        for name, plan in (
            ("one", 1),
            ("two", 2),
            ("three", 2),
            ("empty", 2),
            ("failed", 2),
            ("other", 2),
            ("later", 3),
        ):
            location = past.location(source, name)
            state = "failed" if name == "failed" else "completed"
            jobs[name] = past.job(location, past.version(location, name.encode()), parser, state, plan_id=plan)
        for name in ("one", "two", "three", "later"):
            past.rows(jobs[name])
        past.rows(jobs["empty"], "", accepted=0)
        past.rows(jobs["other"], "others")
        moments = (
            (1, "sales", ["one"]),
            (2, "sales", ["two", "three"]),
            (1, "others", ["other"]),
            (3, "sales", ["later"]),
        )
        for at, (seq, table, names) in enumerate(moments):
            past.commit(
                table=table,
                seq=seq,
                job_id=jobs[names[0]],
                attempt=1,
                body=seal_json({"jobs": [{"job": jobs[name]} for name in names]}),
                permitted_at_ns=NOW_NS + at,
                is_recorded=True,
            )
        connection = past.database.connection
        found = {name: last_entries_of(connection, jobs[name]) for name in ("one", "two", "three", "other", "later")}
        sales, others = (SINK, "sales", Role.ACCEPTED), (SINK, "others", Role.ACCEPTED)
        assert found == {
            "one": {sales: 1},
            "two": {sales: 2},
            "three": {sales: 2},
            "other": {sales: 2, others: 1},
            "later": {sales: 3, others: 1},
        }
        assert [row["seq"] for row in landed(connection, digest_of(b"three"))] == [2]
        for name in ("empty", "failed"):
            with pytest.raises(NotFound):
                last_entries_of(connection, jobs[name])


def test_a_name_means_the_sink_that_had_the_table_at_that_moment(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        location, parser = past.location(past.source()), past.parser()
        job = past.job(location, past.version(location), parser)
        past.commit("csv:///before", seq=1, job_id=job, attempt=1)
        past.commit("parquet:///since", seq=1)
        connection, home = past.database.connection, "parquet:///home"
        assert sinks_of_tables(connection, home) == {"sales": "parquet:///since"}
        assert sinks_of_tables(connection, home, last_entries_of(connection, job)) == {"sales": "csv:///before"}
        past.commit(home, seq=1)
        assert sinks_of_tables(connection, home) == {"sales": home}
