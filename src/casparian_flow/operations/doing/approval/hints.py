"""What a person may rather want than what a proposal asks for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.amendments import Add
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.proposals import LIVING, State
from casparian_flow.schema.lattice import holds
from casparian_flow.sentinel.governance.affected import operations_of
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.views import proposals as view

MOST_HINTS = 3


def hints(connection: Connection, row: RowMapping) -> list[str]:
    """For a change that adds a column: which column of the contract it may be under another name.

    That is one which none of the files has that speak for the change, and that the values of the new one fit.
    """
    if State(row["state"]) not in LIVING or row["table_name"] is None:
        return []
    added = [each.column for each in operations_of(row["body"]) if isinstance(each, Add)]
    contract = contract_store.of_table(connection, row["table_name"]) if added else None
    if contract is None:
        return []
    missing = set(view.missing_in_all(connection, row["id"], contract.table))
    return list(_renames(contract, added, missing))[:MOST_HINTS]


def _renames(contract: Contract, added: list[ContractColumn], missing: set[str]) -> Iterator[str]:
    for new in added:
        for old in contract.columns:
            if old.name in missing and _fits(old, new):
                change = shlex.join(["--rename", f"{old.name}={new.name}"])
                yield (
                    f"{new.name} may be {old.name} under another name: no file that has it has {old.name}; "
                    f"casparian contract amend {shlex.quote(contract.table)} {change}"
                )


def _fits(old: ContractColumn, new: ContractColumn) -> bool:
    """Whether values of the new column, of which the survey made its type, are values of the old one."""
    return holds(old.type, new.type) and (old.format is None or old.format == new.format)
