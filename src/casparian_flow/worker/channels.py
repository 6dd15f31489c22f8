"""The channels of a group, one for each table that its members have rows for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Modes
from casparian_flow.protocol.messages import JobOrder, ParserOrder
from casparian_flow.schema.repair import Repairs
from casparian_flow.schema.row_rules import RowRules
from casparian_flow.schema.treat import Treatments
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.lineage import Lineage, Stamp
from casparian_flow.worker.carrying import CarriedTable
from casparian_flow.worker.carrying_channel import CarryingChannel
from casparian_flow.worker.channel import Channel, Member, SealedTable
from casparian_flow.worker.known_keys import KnownKeys
from casparian_flow.worker.targets import Destination
from casparian_flow.worker.treating import treatments_in

NOTHING_CARRIED: Mapping[str, CarriedTable] = {}


class Channels:
    """Opens the channel of a table when its first rows come. All that they write belongs to the first job."""

    def __init__(
        self,
        parser: ParserOrder,
        jobs: Sequence[JobOrder],
        contracts: Mapping[str, Contract],
        modes: Modes,
        targets: Destination,
        scratch: Path,
        pseudonym_key: bytes,
        carried: Mapping[str, CarriedTable] = NOTHING_CARRIED,
    ) -> None:
        """`modes` hold where a contract has none of its own; `scratch` is for what does not fit into memory.

        Tables of a single job may take over the rows that are `carried`; they are open from the beginning.
        """
        self._owner = Attempt(job=jobs[0].job, attempt=jobs[0].attempt)
        self._stamp = Stamp([_lineage(parser, job) for job in jobs])
        self._jobs = jobs
        self._members = [Member(job.source_hash) for job in jobs]
        self._repairs = {member: job.repairs for member, job in enumerate(jobs) if job.repairs}
        self._contracts = contracts
        self._modes = modes
        self._targets = targets
        self._pseudonym_key = pseudonym_key
        self._parser = parser
        self._scratch = scratch
        self._carried = carried
        self._open: dict[str, Channel] = {}
        for table in carried:
            self.of(table)

    def of(self, table: str) -> Channel:
        """The channel of a table, under its contract if it has one."""
        if table not in self._open:
            sinks = self._targets.sinks_of(table)
            contract = self._contracts.get(table)
            treated = treatments_in(table, self._contracts, self._pseudonym_key, self._parser)
            compares = contract is not None and any(rule.is_about_rows for rule in contract.rules)
            row_rules = partial(self._row_rules, contract, treated) if contract is not None and compares else None
            carried = self._carried.get(table)
            make = Channel if carried is None else partial(CarryingChannel, carried)
            self._open[table] = make(
                table,
                contract,
                self._modes,
                self._owner,
                self._members,
                sinks,
                self._stamp,
                row_rules,
                treated,
                self._repairs_of(table),
            )
        return self._open[table]

    def _row_rules(self, contract: Contract, treated: Treatments | None, member: int) -> RowRules:
        """The rules about a row among others, for the rows of one member; keys are those that stand in tables."""
        known: dict[str, KnownKeys] = {}
        kinds = {column.name: column.table_type for column in contract.columns}
        for rule in contract.rules:
            if rule.needs_order:
                keys = self._targets.keys_of(
                    rule.table or contract.table,
                    rule.references or rule.columns,
                    [kinds[name] for name in rule.columns],
                    () if rule.table else self._jobs[member].supersedes,
                    self._scratch,
                )
                if keys is not None:
                    known[rule.name] = keys
        return RowRules(contract, self._scratch, known, treated=None if treated is None else treated.column)

    def _repairs_of(self, table: str) -> dict[int, Repairs]:
        """The repairs of each member that has any in a table."""
        found = {
            member: {each.source_row: each.after for each in repairs if each.table == table}
            for member, repairs in self._repairs.items()
        }
        return {member: repairs for member, repairs in found.items() if repairs}

    def discard(self) -> None:
        """Remove what was staged, wherever that is possible; raises SinkError if it was not possible everywhere."""
        with ExitStack() as stack:
            for channel in self._open.values():
                stack.callback(channel.discard)

    def seal(self) -> dict[str, dict[int, SealedTable]]:
        """Flush everything to disk; by table what each member has there."""
        return {table: channel.seal() for table, channel in self._open.items()}


def _lineage(parser: ParserOrder, order: JobOrder) -> Lineage:
    return Lineage(
        job=order.job,
        file_version=order.file_version,
        source_hash=order.source_hash,
        parser_version=parser.label,
        processed_at_ns=order.processed_at_ns,
    )
