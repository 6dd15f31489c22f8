"""How what `operations.contract.interchange` names is done."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.contract_checks import check_contract
from casparian_flow.core.contract_text import verified
from casparian_flow.core.contracts import Contract, ContractState
from casparian_flow.core.errors import ExportFailed, NotFound, UsageError
from casparian_flow.lab.contract_file import read_contracts
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.contract.amendment import AmendContract
from casparian_flow.operations.contract.interchange import (
    ContractExported,
    ContractImported,
    ContractsImported,
    ExportContract,
    ImportContract,
    Unmapped,
)
from casparian_flow.operations.doing.approval.proposal_view import entry_of
from casparian_flow.operations.doing.contract.amendment import amend
from casparian_flow.operations.doing.contract.yaml_text import read_yaml, yaml_text
from casparian_flow.operations.query.file_format import STANDARD_OUTPUT
from casparian_flow.schema.amend import amended
from casparian_flow.schema.contract_difference import operations_between, with_what_is_unsaid
from casparian_flow.schema.odcs import API_VERSION, to_odcs
from casparian_flow.schema.odcs import Unmapped as Left
from casparian_flow.schema.odcs_reading import from_odcs
from casparian_flow.schema.validate import Validator
from casparian_flow.sinks.layout import checked_table
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.meta import HOME_ID, meta_value
from casparian_flow.store.views import contracts as view


def export(reading: Reading, request: ExportContract) -> ContractExported:
    """Write one contract; raises NotFound, and UsageError for a file that is there already."""
    row = _one(reading.connection, request)
    contract = verified(row["body"], row["hash"])
    identity = f"{meta_value(reading.connection, HOME_ID) or 'casparian'}/{contract.table}"
    document, unmapped = to_odcs(contract, identity, ContractState(row["state"]))
    path = None if request.to == STANDARD_OUTPUT else reading.cwd / request.to
    _write(path, yaml_text(document), may_replace=request.overwrite)
    return ContractExported(
        table=contract.table,
        version=contract.version,
        path=None if path is None else str(path),
        standard=API_VERSION,
        columns=len(contract.columns),
        rules=len(contract.rules),
        unmapped=[Unmapped(where=each.where, what=each.what) for each in unmapped],
    )


def import_(acting: Acting, request: ImportContract) -> ContractsImported:
    """Propose what a file says: a first contract, or the change that makes the one in force what the file says.

    Nothing is proposed unless all of the file can be. Raises UsageError, of rules RuleInvalid.
    """
    path = acting.cwd / request.path
    with acting.database.transaction() as connection:
        known = contract_store.in_force(connection)
        contracts, unmapped = _read(path, known)
        wanted = []
        for contract in contracts:
            checked_table(contract.table)
            base = known.get(contract.table)
            operations, left = ((), []) if base is None else operations_between(base, contract)
            unmapped += [Left(where=contract.table, what=each) for each in left]
            if base is None:
                check_contract(contract)
                Validator(contract)  # it knows which types and formats can be read
            elif operations:
                amended(base, operations)
            wanted.append((contract, base, operations))
        first = {
            contract.table: contract_store.propose(
                connection, contract, {"reason": request.reason}, acting.actor, acting.clock()
            )
            for contract, base, _ in wanted
            if base is None
        }
        imported = {
            table: entry_of(connection, contract_store.describe(connection, number).proposal_id)
            for table, number in first.items()
        }
    for contract, _, operations in wanted:
        if operations:
            asked = AmendContract(table=contract.table, operations=operations, reason=request.reason)
            imported[contract.table] = amend(acting, asked).proposal
    return ContractsImported(
        imported=[
            ContractImported(table=contract.table, proposal=imported.get(contract.table)) for contract, *_ in wanted
        ],
        unmapped=[Unmapped(where=each.where, what=each.what) for each in unmapped],
    )


def _read(path: Path, known: Mapping[str, Contract]) -> tuple[list[Contract], list[Left]]:
    if path.suffix.lower() != ".toml":
        return from_odcs(read_yaml(path), known)
    found = [replace(contract, version=1) for contract in read_contracts(path)]
    return [with_what_is_unsaid(known[each.table], each) if each.table in known else each for each in found], []


def _one(connection: Connection, request: ExportContract) -> RowMapping:
    rows = view.of_table(connection, request.table)
    if not rows:
        raise NotFound(f"there is no contract for a table {request.table!r}", fix="casparian contract list")
    if request.version is None:
        return next((row for row in rows if row["state"] == ContractState.APPLIED), rows[0])
    for row in rows:
        if row["version"] == request.version:
            return row
    raise NotFound(
        f"the contract of {request.table} has no version {request.version}",
        why=f"it has {', '.join(sorted({str(row['version']) for row in rows}))}",
        fix="casparian contract list",
    )


def _write(path: Path | None, text: str, *, may_replace: bool) -> None:
    if path is None:
        sys.stdout.write(text)
        return
    if path.exists() and not may_replace:
        raise UsageError(f"{path} exists already", fix="--overwrite")
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)  # a full disk costs no file that was there
    except OSError as exc:
        beside.unlink(missing_ok=True)
        raise ExportFailed(f"{path} cannot be written", why=exc.strerror or str(exc)) from exc
