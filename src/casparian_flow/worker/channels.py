"""The channels of a group, one for each table that its members have rows for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from casparian_flow.core.contracts import Contract
from casparian_flow.protocol.messages import JobOrder, ParserOrder
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.lineage import Lineage, Stamp
from casparian_flow.worker.channel import Channel, SealedTable
from casparian_flow.worker.targets import Destination


class Channels:
    """Opens the channel of a table when its first rows come. All that they write belongs to the first job."""

    def __init__(
        self,
        parser: ParserOrder,
        jobs: Sequence[JobOrder],
        contracts: Mapping[str, Contract],
        targets: Destination,
    ) -> None:
        self._owner = Attempt(job=jobs[0].job, attempt=jobs[0].attempt)
        self._stamp = Stamp([_lineage(parser, job) for job in jobs])
        self._contracts = contracts
        self._targets = targets
        self._open: dict[str, Channel] = {}

    def of(self, table: str) -> Channel:
        """The channel of a table, under its contract if it has one."""
        if table not in self._open:
            sinks = self._targets.sinks_of(table)
            self._open[table] = Channel(table, self._contracts.get(table), self._owner, sinks, self._stamp)
        return self._open[table]

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
