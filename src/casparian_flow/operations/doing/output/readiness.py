"""Whether sinks can take tables of this home: found out before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from casparian_flow.core.errors import OutputExists, SinkUnavailable, TargetOwned, VerificationFailed
from casparian_flow.core.outputs import Role, SinkMode
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.run.plan import Prepared
from casparian_flow.sinks.base import Sink
from casparian_flow.store import outputs as output_store
from casparian_flow.store.meta import home_id


def make_ready(acting: Acting, prepared: Prepared) -> None:
    """Check every sink that the run may write to, then make each this home's own; raises the first SinkError."""
    with acting.database.transaction() as connection:
        _refuse_existing(connection, prepared)
    make_sinks_ready(acting, prepared.plan.routes.sinks)


def make_sinks_ready(acting: Acting, uris: Iterable[str]) -> None:
    """Check these sinks, then make each this home's own; raises the first SinkError."""
    sinks = [acting.open_sink(uri) for uri in uris]
    for sink in sinks:  # it may take its time to answer, and the database is not kept waiting
        sink.check()
    with acting.database.transaction() as connection:
        home = home_id(connection)
        for sink in sinks:
            if (trouble := acting.recovered.troubles.get(sink.uri)) is not None:
                raise trouble  # its state is not known until what was permitted there is visible
            _refuse_waiting(connection, sink.uri)
            check_sink(connection, sink, home)
    for sink in sinks:
        sink.claim(home)


def check_sink(connection: Connection, sink: Sink, home: str | None) -> None:
    """Refuse a target that is another home's, or whose logs are not as this home left them.

    Where entries are missing nothing that follows would become visible; where there are more, another home wrote them.
    """
    if (owner := sink.owner()) not in (None, home):
        raise TargetOwned(f"{sink.uri} belongs to another home", why=f"home {owner} writes there, this one is {home}")
    last = {(row.table_name, Role(row.role)): row.seq for row in output_store.last_recorded(connection, sink.uri)}
    known = {(table, role, seq) for (table, role), seq in last.items()}
    for table, _role, seq in sorted(known - sink.present(known)):
        raise VerificationFailed(
            f"table {table} has lost commits",
            where=sink.uri,
            why=f"entry {seq} of its log is not there: the target was removed, emptied or replaced",
            fix="bring it back, or choose another target with --sink",
        )
    waiting = {
        (row.table_name, Role(row.role), row.seq)
        for row in output_store.unrecorded(connection)
        if row.sink_uri == sink.uri
    }
    next_ones = {(table, role, last.get((table, role), 0) + 1) for role in Role for table in sink.tables(role)}
    for table, role, seq in sorted(sink.present(next_ones - waiting)):
        raise TargetOwned(
            f"{sink.uri} has commits that this home did not make",
            where=f"table {table} ({role})",
            why=f"its log goes on after entry {seq - 1}: another home wrote there, or this one is a backup",
        )


def _refuse_waiting(connection: Connection, uri: str) -> None:
    """Refuse a sink that shows rows which are not recorded, since another sink of their commit did not take its part.

    What another run is making visible right now does not stand in the way.
    Nothing that follows would supersede them: they would stay beside those of the next job that reads the same file.
    """
    waiting = output_store.troubled(connection)
    here = {row.job_id for row in waiting if row.sink_uri == uri}
    if here:
        elsewhere = sorted({row.sink_uri for row in waiting if row.job_id in here} - {uri})
        raise SinkUnavailable(
            "commits to this sink are not recorded yet",
            where=uri,
            why=f"they are commits to {', '.join(elsewhere)} too" if elsewhere else "they could not be written",
            fix=f"casparian sink check {(elsewhere or [uri])[0]}",
        )


def _refuse_existing(connection: Connection, prepared: Prepared) -> None:
    """In mode `error`, refuse at plan time what the commit would refuse anyway."""
    tables = {table for each in prepared.plan.runs for table in each.tables}
    for table in sorted(tables):
        for target in prepared.plan.routes.targets_of(table):
            if target.mode is SinkMode.ERROR and output_store.current_in_table(connection, target.uri, table):
                raise OutputExists(f"table {table} already has rows", where=target.uri)
