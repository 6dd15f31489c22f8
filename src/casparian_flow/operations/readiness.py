"""Whether every sink of a run can take its tables: found out before anything runs."""

from __future__ import annotations

from casparian_flow.core.errors import OutputExists, TargetOwned, VerificationFailed
from casparian_flow.core.outputs import Role, SinkMode
from casparian_flow.operations.context import Acting
from casparian_flow.operations.plan import Prepared
from casparian_flow.store import outputs as output_store
from casparian_flow.store.meta import home_id


def make_ready(acting: Acting, prepared: Prepared) -> None:
    """Check every sink that the run may write to, then make each this home's own; raises the first SinkError."""
    sinks = prepared.plan.routes.sinks
    for uri in sinks:
        if (trouble := acting.recovered.troubles.get(uri)) is not None:
            raise trouble  # its state is not known until what was permitted there is visible
        acting.open_sink(uri).check()
        _refuse_other_commits(acting, uri)
    _refuse_existing(acting, prepared)
    with acting.database.transaction() as connection:
        owner = home_id(connection)
    for uri in sinks:
        acting.open_sink(uri).claim(owner)


def _refuse_other_commits(acting: Acting, uri: str) -> None:
    """Refuse a target whose logs end before or after what this home committed there.

    Where entries are missing nothing that follows would become visible; where there are more, another home wrote them.
    """
    sink = acting.open_sink(uri)
    with acting.database.transaction() as connection:
        last = {(row.table_name, Role(row.role)): row.seq for row in output_store.last_recorded(connection, uri)}
    for (table, role), seq in last.items():
        if not sink.has_entry(table, role, seq):
            raise VerificationFailed(
                f"table {table} has lost commits",
                where=uri,
                why=f"entry {seq} of its log is not there: the folder was removed, emptied or replaced",
                fix="bring the folder back, or choose another target with --sink",
            )
    for role in Role:
        for table in sink.tables(role):
            known = last.get((table, role), 0)
            if sink.has_entry(table, role, known + 1):
                raise TargetOwned(
                    f"{uri} has commits of another home",
                    where=f"{role} log of table {table}",
                    why=f"this home knows {known} of its entries: another home wrote more, or this one was put back "
                    "from a backup",
                )


def _refuse_existing(acting: Acting, prepared: Prepared) -> None:
    """In mode `error`, refuse at plan time what the commit would refuse anyway."""
    tables = {
        table
        for each in prepared.plan.runs
        if each.parser
        for table in ([each.parser.table_of(o, each.base_table) for o in each.parser.outputs] or [each.base_table])
    }
    with acting.database.transaction() as connection:
        for table in sorted(tables):
            for target in prepared.plan.routes.targets_of(table):
                if target.mode is SinkMode.ERROR and output_store.current_in_table(connection, target.uri, table):
                    raise OutputExists(f"table {table} already has rows", where=target.uri)
