"""What a run that replaces tables keeps of them, and when it is refused."""

from __future__ import annotations

from casparian_flow.core.contract_checks import needs_append
from casparian_flow.core.errors import UsageError
from casparian_flow.core.outputs import SinkMode
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.run.plan import Prepared
from casparian_flow.sentinel.queue.lanes import exclusive, ordered_tables
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.sources import source_by_id
from casparian_flow.store.tombstones import outputs_of_bytes


def kept_hashes(prepared: Prepared) -> tuple[str, ...]:
    """The bytes of the selected files that are there: what a replacement keeps where it brings nothing newer."""
    return tuple(sorted(_hashes(prepared, are_missing=False))) if _replaces(prepared) else ()


def refuse_replacing(acting: Acting, prepared: Prepared) -> None:
    """Raises UsageError where a table must not be replaced, or where nothing is left to replace it with."""
    if _replaces(prepared):
        _refuse_compared(acting, prepared)
        _refuse_emptied(acting, prepared)


def _replaces(prepared: Prepared) -> bool:
    return any(target.mode is SinkMode.REPLACE for target in prepared.plan.routes.every_target())


def _hashes(prepared: Prepared, *, are_missing: bool) -> set[str]:
    files = (decision.file for decision in prepared.plan.decisions if decision.file.is_selected)
    return {
        file.source_hash
        for file in files
        # What the policy of its source lets go is no loss that nobody asked for.
        if file.source_hash is not None and file.is_missing is are_missing and not file.is_retired
    }


def _refuse_compared(acting: Acting, prepared: Prepared) -> None:
    """Where a table would be replaced whose rows are compared with those that were there before."""
    routes = prepared.plan.routes
    with acting.database.transaction() as connection:
        contracts = contract_store.in_force(connection)
    ordered = ordered_tables(contracts)
    for each in prepared.plan.runs:
        registered = prepared.catalog.registered[each.parser.id] if each.parser else None
        for table in sorted(exclusive(ordered, registered, each.base_table)) if registered else ():
            if any(target.mode is SinkMode.REPLACE for target in routes.targets_of(table)):
                raise UsageError(
                    f"{table} cannot be replaced",
                    why=f"its rule {needs_append(contracts[table])} compares rows with those of other files",
                    fix="--mode append",
                )


def _refuse_emptied(acting: Acting, prepared: Prepared) -> None:
    """Where every file is gone that brought a table its rows, and no other is read: a disk may not be mounted."""
    here = _hashes(prepared, are_missing=False)
    gone = _hashes(prepared, are_missing=True) - here
    if prepared.plan.runs or not gone:
        return
    with acting.database.transaction() as connection:
        lost = [row for row in outputs_of_bytes(connection, gone) if _is_replaced(prepared, row)]
        if not lost or any(_is_replaced(prepared, row) for row in outputs_of_bytes(connection, here)):
            return
        sources = [source_by_id(connection, source) for source in prepared.discovered.selection.sources]
    files = len({row.source_hash for row in lost})
    allows = f"source policy {sources[0].id} retire --even-if-empty" if len(sources) == 1 else "source list"
    raise UsageError(
        f"nothing is left to replace {', '.join(sorted({row.table_name for row in lost}))} with",
        where=", ".join(source.display for source in sources),
        why=f"{'the 1 file is' if files == 1 else f'all {files:,} files are'} gone that brought rows, "
        "as if a disk were not mounted; no row was taken out",
        fix=f"casparian {allows}",
    )


def _is_replaced(prepared: Prepared, row: AnyRow) -> bool:
    return bool(row.is_current) and prepared.plan.routes.mode_of(row.sink_uri, row.table_name) is SinkMode.REPLACE
