"""Contracts as they are listed and looked at."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from casparian_flow.core.contracts import ContractState
from casparian_flow.store.tables import contracts

BY_TABLE = select(contracts).order_by(contracts.c.table_name, contracts.c.version.desc(), contracts.c.id.desc())


def list_contracts(connection: Connection, states: Sequence[ContractState]) -> Sequence[RowMapping]:
    """The contracts in these states, by table, the newest version first."""
    return connection.execute(BY_TABLE.where(contracts.c.state.in_(states))).mappings().all()


def of_table(connection: Connection, table: str) -> Sequence[RowMapping]:
    """Every contract that a table has or had, the newest version first."""
    return connection.execute(BY_TABLE.where(contracts.c.table_name == table)).mappings().all()


def by_id(connection: Connection, contract: int) -> RowMapping | None:
    """One contract."""
    return connection.execute(select(contracts).where(contracts.c.id == contract)).mappings().first()
