"""A home whose one table really lies in its sink, with a past that never changes."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import update

from builders import NOW_NS, HomeBuilder
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.sentinel.commit.rolling import roll_forward
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.sentinel.history.reversal import permit_reversal, plan_reversal
from casparian_flow.settings import Home
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import outputs as output_store
from casparian_flow.store import tables
from casparian_flow.store.meta import HOME_ID, set_meta_value
from sink_builders import a_batch, permitted, sealed


def landed_home(folder: Path) -> Home:
    """A table of two commits, the newer of which was reverted."""
    with HomeBuilder(folder) as past:
        sink = open_sink(past.home.default_sink)
        location, parser = past.location(past.source(), "sales.csv"), past.parser()
        columns = (ContractColumn("n", "int64"), ContractColumn("text", "string"))
        contract = Contract(table="sales", version=1, columns=columns, origin=Origin.ADOPTED)
        with past.database.transaction() as connection:
            set_meta_value(connection, HOME_ID, "5" * 32)  # digests of what is decided name the home
            adopt(connection, contract, Rule.ADOPT, "first contact", NOW_NS)
        for seq, data in enumerate((b"older", b"newer"), 1):
            job = past.job(location, past.version(location, data), parser, started_at_ns=NOW_NS, finished_at_ns=NOW_NS)
            past.rows(job, accepted=2 + seq, sink_uri=sink.uri, is_current=seq == 2)
            output = sealed(sink, job, [a_batch(range(2 + seq))], table="sales")
            entry = permitted(output, seq, job, removed_jobs=[job - 1] if seq == 2 else [])
            sink.promote([entry])
            with past.database.transaction() as connection:
                output_store.add_commit(connection, entry, NOW_NS, job=job, attempt=1)
                connection.execute(update(tables.commits).values(is_recorded=True))
        with past.database.transaction() as connection:
            reversal = plan_reversal(connection, sink.uri, "sales", "@-1")
            permit_reversal(connection, reversal, "ann", "the newer file was cut", NOW_NS)
        roll_forward(past.database, lambda _uri: sink, NOW_NS)
        return past.home
