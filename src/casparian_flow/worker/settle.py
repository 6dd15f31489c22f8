"""The second half of a surveyed job: staged rows are cast to the contracts that were found for them, and sealed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.protocol.messages import Sealed, Settle
from casparian_flow.sinks.base import Attempt
from casparian_flow.worker.channel import Channel
from casparian_flow.worker.pending import Pending, read_pending
from casparian_flow.worker.seal import SealedTables, lineage_of, seal_channels, with_more
from casparian_flow.worker.spill import read_spill
from casparian_flow.worker.tables import under_contract
from casparian_flow.worker.targets import Targets


def cast_spilled(settle: Settle, folder: Path, targets: Targets) -> Sealed:
    """Seal what a survey left in its folder; on an error nothing of the attempt remains.

    Raises InvariantBroken unless every spilled row was accepted or quarantined.
    """
    began = time.monotonic()
    order = settle.order
    attempt = Attempt(job=order.job, attempt=order.attempt)
    pending = read_pending(folder)
    channels: dict[str, Channel] = {}
    try:
        _cast(settle, pending, folder, targets, channels)
        sealed = seal_channels(channels.values())
        _check_none_is_lost(pending, sealed)
    except BaseException:
        with ExitStack() as stack:
            stack.callback(targets.discard, attempt, pending.receipt.outputs)
            for channel in channels.values():
                stack.callback(channel.discard)
        raise
    receipt = with_more(pending.receipt, sealed, time.monotonic() - began)
    return Sealed(job=order.job, attempt=order.attempt, receipt=receipt)


def _cast(settle: Settle, pending: Pending, folder: Path, targets: Targets, channels: dict[str, Channel]) -> None:
    attempt = Attempt(job=settle.order.job, attempt=settle.order.attempt)
    lineage = lineage_of(settle.parser, settle.order)
    for spilled in pending.spilled:
        table = settle.tables[spilled.output]
        contract = settle.contracts[table]
        channel = channels.setdefault(table, Channel(table, contract, attempt, targets.sinks_of(table), lineage))
        if spilled.rows is not None:
            for batch, source_row, start, end in read_spill(folder / spilled.rows):
                channel.accept(under_contract(batch, contract), source_row, start, end)
        if spilled.rejected is not None:
            for batch, source_row, _start, _end in read_spill(folder / spilled.rejected):
                channel.reject(batch, source_row)


def _check_none_is_lost(pending: Pending, sealed: SealedTables) -> None:
    spilled = sum(each.count for each in pending.spilled)
    if (found := sum(count.emitted for count in sealed.counts)) != spilled:
        raise InvariantBroken("rows were lost while they waited", why=f"{spilled} were kept, {found} were sealed")
