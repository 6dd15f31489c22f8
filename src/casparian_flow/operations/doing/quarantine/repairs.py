"""How what `operations.quarantine.repairs` names is done."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa
from sqlalchemy import Connection, RowMapping

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.lineage import RESCUED, row_address
from casparian_flow.core.outputs import Role
from casparian_flow.core.quarantine import record_shape
from casparian_flow.core.repairs import MOST_REPAIRS, REPAIRED
from casparian_flow.core.times import rfc3339
from casparian_flow.core.treatments import is_closed
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.doing.lineage.trace import ADDRESS, FILE_AND_RECORD
from casparian_flow.operations.doing.quarantine.value_form import fits, form_of, meant_by
from casparian_flow.operations.doing.query.rows import rows_of
from casparian_flow.operations.doing.run.again import run_again
from casparian_flow.operations.quarantine.repairs import (
    ListRepairs,
    Repaired,
    RepairEntry,
    RepairList,
    RepairRow,
    RevokeRepair,
)
from casparian_flow.operations.query.rows import FoundRow, RowFault
from casparian_flow.schema.masks import NOT_DECLARED, mask
from casparian_flow.schema.rejections import value_shape
from casparian_flow.store import causes as cause_store
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import repairs as repair_store
from casparian_flow.store.repairs import NewRepair
from casparian_flow.store.views import history, lineage
from casparian_flow.store.views import materializations as view

LONGEST_VALUE = 100_000
"""Characters of a value that a person writes."""


def repair(acting: Acting, request: RepairRow) -> Repaired:
    """Keep what a row is to hold; its file is read again by the next run.

    Raises NotFound, or UsageError for what could not become a row: a column that the table does not have, a value that
    is not of its type, another fault of the row that is left, a row that was accepted as it is in its file.
    """
    if not request.values or not request.reason.strip():
        raise UsageError("a repair names at least one value, and why", fix="--set COLUMN=VALUE --reason TEXT")
    with acting.database.transaction() as connection:
        source_hash, record = _row_named(connection, acting, request.row)
        places = [dict(row) for row in view.current_of_hash(connection, source_hash)]
        contracts = contract_store.in_force(connection)
    row, place = _one_row(places, record, request)
    contract = contracts.get(row.table)
    if contract is None:
        raise UsageError(f"{row.table} has no contract, so that its rows cannot be repaired")
    _check_values(row, contract, request.values)
    new = NewRepair(
        source_hash=source_hash,
        parser=place["parser_name"],
        table=row.table,
        source_row=record,
        before={name: _held(row, contract, name) for name in request.values},
        after=request.values,
        author=acting.actor,
        reason=request.reason.strip(),
    )
    with acting.database.transaction() as connection:
        new = _with_earlier(connection, new)
        if repair_store.count_of(connection, source_hash, new.parser) >= MOST_REPAIRS:
            raise UsageError(f"{MOST_REPAIRS:,} rows of this file are repaired already", fix="mend the file")
        number = repair_store.add(connection, new, acting.clock())
        if row.role is Role.QUARANTINE:
            first = row.faults[0]
            shape = _shape_of(row, first)
            cause_store.make_ready(connection, int(row.job), row.table, first.code, first.column or "", shape)
        nulls = [name for name in contract.names if name not in new.after] if _is_written_out(row) else []
        return _repaired(connection, acting, repair_store.one(connection, number), contracts, nulls)


def list_(reading: Reading, request: ListRepairs) -> RepairList:
    """The repairs that hold, or all."""
    found = repair_store.list_repairs(reading.connection, with_revoked=request.with_revoked)
    contracts = contract_store.in_force(reading.connection)
    return RepairList(repairs=[_entry(reading.connection, row, contracts) for row in found])


def revoke(acting: Acting, request: RevokeRepair) -> Repaired:
    """Let a repair hold no more: the next run reads its file as it is. Raises NotFound."""
    with acting.database.transaction() as connection:
        repair_store.revoke(connection, request.repair, acting.clock())
        contracts = contract_store.in_force(connection)
        return _repaired(connection, acting, repair_store.one(connection, request.repair), contracts, [])


def _row_named(connection: Connection, acting: Acting, named: str) -> tuple[str, int]:
    """The bytes and the place in them."""
    if parts := ADDRESS.fullmatch(named):
        found = lineage.hashes_with_prefix(connection, parts[1])
        if len(found) == 1:
            return found[0], int(parts[2])
        if found:
            raise UsageError(f"several files begin with {parts[1]}", why=", ".join(found), fix="give more digits")
    if parts := FILE_AND_RECORD.fullmatch(named):
        source_hash = one_file(connection, acting.cwd, parts[1])["source_hash"]
        if source_hash is not None:
            return source_hash, int(parts[2])
    raise NotFound(f"there is no row {named!r}", fix="casparian quarantine show GROUP")


def _one_row(places: list[dict[str, object]], record: int, request: RepairRow) -> tuple[FoundRow, Mapping[str, str]]:
    """The one row that is meant, rejected or repaired before, and the materialization that it is of."""
    found: dict[str, tuple[FoundRow, Mapping[str, str]]] = {}
    accepted: list[str] = []
    for role in (Role.QUARANTINE, Role.ACCEPTED):
        for place in places:
            if request.table in (None, place["table_name"]) and place["table_name"] not in found:
                rows = rows_of(place, role, record, shown=lambda row: row)  # type: ignore[arg-type]
                if rows and role is Role.ACCEPTED and not _is_repaired(rows[0]):
                    accepted.append(str(place["table_name"]))
                elif rows:
                    found[str(place["table_name"])] = rows[0], place  # type: ignore[assignment]
    if not found and accepted:
        raise UsageError(
            f"{request.row!r} is not in quarantine: it was accepted, and is in {accepted[0]}",
            why="a repair is for a row that was rejected; a wrong value of an accepted one is mended in its file",
            fix="casparian quarantine show GROUP",
        )
    if not found:
        raise NotFound(f"there is no row {request.row!r} in quarantine", fix="casparian quarantine show GROUP")
    if len(found) > 1:
        raise UsageError(f"{request.row!r} is in several tables", why=", ".join(sorted(found)), fix="--table TABLE")
    return next(iter(found.values()))


def _is_repaired(row: FoundRow) -> bool:
    """Whether an accepted row stands as a person put it right, so that it may be put right again."""
    return any(each["code"] == REPAIRED for each in json.loads(row.values.get(RESCUED) or "[]"))


def _is_written_out(row: FoundRow) -> bool:
    """Whether a person says all that the row holds, since its record could not be split into columns."""
    if row.role is Role.QUARANTINE:
        return not row.values
    kept = json.loads(row.values.get(RESCUED) or "[]")
    return any(each["column"] == "" and each["code"] == REPAIRED for each in kept)


def _check_values(row: FoundRow, contract: Contract, values: Mapping[str, str | None]) -> None:
    columns = {column.name: column for column in contract.columns}
    for name, text in values.items():
        if name not in columns:
            raise UsageError(f"{contract.table} has no column {name!r}", why=", ".join(columns))
        _check_value(columns[name], text)
    is_record = row.role is Role.QUARANTINE and not row.values
    closed = [each.name for each in contract.columns if is_closed(each.sensitivity) or each.treatment is not None]
    if closed and (is_record or set(closed) & values.keys()):
        raise UsageError(
            f"{closed[0]} is classed, so that no value of it is written down", fix="mend the file, and run again"
        )
    if is_record:
        left = [each.name for each in contract.columns if not each.nullable and values.get(each.name) is None]
    else:
        left = [fault.column for fault in row.faults if fault.column in columns and fault.column not in values]
    if left:
        also = shlex.quote(f"{left[0]}=VALUE")
        raise UsageError(f"the row would still be rejected for {left[0]}", fix=f"--set {also}")


def _check_value(column: ContractColumn, text: str | None) -> None:
    if text is None:
        if not column.nullable:
            raise UsageError(f"{column.name} is never null")
        return
    if len(text) > LONGEST_VALUE:
        raise UsageError(f"the value for {column.name} is longer than {LONGEST_VALUE:,} characters")
    if not fits(text, column):
        raise UsageError(
            f"{text[:200]!r} is no {column.type}",
            where=f"column {column.name}",
            why=form_of(column),
            fix=meant_by(text, column),
        )


def _held(row: FoundRow, contract: Contract, name: str) -> str | None:
    """What the file has there: of a record that could not be split, all of it."""
    if row.role is Role.QUARANTINE and not row.values:
        return row.raw
    if contract.headerless and name not in row.values:
        at = contract.names.index(name)
        return list(row.values.values())[at] if at < len(row.values) else None
    aliases = next(column.aliases for column in contract.columns if column.name == name)
    return next((row.values[each] for each in (name, *aliases) if each in row.values), None)


def _shape_of(row: FoundRow, first: RowFault) -> str:
    """The shape of the cause that a rejected row is of."""
    if not first.column:
        return record_shape(row.message or "")
    (shape,) = value_shape(pa.array([first.observed or ""])).to_pylist()
    return str(shape)


def _with_earlier(connection: Connection, new: NewRepair) -> NewRepair:
    """The same on top of what was repaired of the row before."""
    for earlier in repair_store.living_of_row(connection, new):
        return NewRepair(
            source_hash=new.source_hash,
            parser=new.parser,
            table=new.table,
            source_row=new.source_row,
            before={**new.before, **json.loads(earlier["before"])},
            after={**json.loads(earlier["after"]), **new.after},
            author=new.author,
            reason=new.reason,
        )
    return new


def _repaired(
    connection: Connection,
    acting: Acting,
    row: RowMapping,
    contracts: Mapping[str, Contract],
    nulls: Sequence[str],
) -> Repaired:
    shown = view.current_of_hash(connection, row["source_hash"])
    of_it = ("parser_name", "table_name")
    jobs = sorted({each["job_id"] for each in shown if all(each[name] == row[name] for name in of_it)})
    entry = _entry(connection, row, contracts)
    return Repaired(
        **msgspec.structs.asdict(entry), nulls=list(nulls), next=run_again(connection, acting, jobs[-1:])[0]
    )


def _entry(connection: Connection, row: RowMapping, contracts: Mapping[str, Contract]) -> RepairEntry:
    """A repair as it is told under the contracts of now: a column may be closed since it was made."""
    contract = contracts.get(row["table_name"])
    before, after = json.loads(row["before"]), json.loads(row["after"])
    if contract is None or contract.is_closed:
        known = () if contract is None else contract.columns
        closed = {each.name: each.sensitivity for each in known if each.is_closed}
        is_open = {each.name for each in known if not each.is_closed}
        # of a record that could not be split it is all of the record, whatever the column
        before = {name: _masked(text, closed.get(name, NOT_DECLARED)) for name, text in before.items()}
        after = {
            name: text if name in is_open else _masked(text, closed.get(name, NOT_DECLARED))
            for name, text in after.items()
        }
    place = next(iter(history.carriers_of(connection, row["source_hash"])), None)
    return RepairEntry(
        id=row["id"],
        row=row_address(row["source_hash"], row["source_row"]),
        path="" if place is None else place.display,
        table=row["table_name"],
        parser=row["parser_name"],
        before=before,
        after=after,
        author=row["author"],
        reason=row["reason"],
        made=rfc3339(row["made_at_ns"]),
        revoked=None if row["revoked_at_ns"] is None else rfc3339(row["revoked_at_ns"]),
    )


def _masked(text: str | None, said: str) -> str | None:
    return None if text is None else mask(text, said)
