"""Rows that others refer to: when they come later, the files that were rejected without them are read again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.rules import RuleKind
from casparian_flow.store import causes
from casparian_flow.store import outputs as output_store
from casparian_flow.store.facts import Facts

Referring = Mapping[str, frozenset[tuple[str, str]]]
"""By the table that is referred to: the tables that do, each with its columns as a quarantine entry has them."""


def referring(contracts: Mapping[str, Contract]) -> Referring:
    """Which tables refer to which, by the contracts in force."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for table, contract in contracts.items():
        for rule in contract.rules:
            if rule.kind is RuleKind.REFERENCE and rule.table is not None:
                found[rule.table].add((table, ", ".join(rule.columns)))
    return {table: frozenset(entries) for table, entries in found.items()}


def arriving(connection: Connection, rows: Iterable[Mapping[str, Any]], refers: Referring) -> list[str]:
    """The tables that others refer to and that these materializations bring rows to which are not shown already.

    It is asked before they take anything out: a file that is read again and brings what it brought brings nothing new,
    or a file with both tables would be read again for ever.
    """
    coming = [row for row in rows if row["table_name"] in refers and row["accepted"]]
    return sorted({row["table_name"] for row in coming if not output_store.shows(connection, row)})


def make_ready(
    connection: Connection, group: Sequence[tuple[Facts, Receipt]], arrived: Iterable[str], refers: Referring
) -> None:
    """What was rejected for want of rows that came with this group, or while it was read, is read again."""
    for table in arrived:
        causes.make_referring_ready(connection, refers[table])
    for facts, receipt in group:
        rejected = {(each.table, each.column) for each in receipt.groups}
        for known in receipt.known:
            lacking = refers.get(known.table, frozenset()) & rejected
            if not lacking:
                continue
            sink = facts.routes.targets_of(known.table)[0].uri
            if output_store.has_grown(connection, sink, known.table, known.seq, [each.id for each, _ in group]):
                causes.make_referring_ready(connection, lacking, facts.id)
