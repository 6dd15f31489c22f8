"""The second half of a surveyed job: staged rows are cast to the contracts that were found for them, and sealed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import InvariantBroken, SinkError
from casparian_flow.protocol.bodies import JobReceipt, Sealed
from casparian_flow.protocol.messages import JobOrder, ParserOrder
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.channel import Channel
from casparian_flow.worker.pending import Pending, Spilled, read_pending
from casparian_flow.worker.seal import SealedTables, lineage_of, seal_channels, with_more
from casparian_flow.worker.spill import read_spill
from casparian_flow.worker.tables import under_contract
from casparian_flow.worker.targets import Destination, discard


def cast_spilled(
    parser: ParserOrder,
    order: JobOrder,
    contracts: Mapping[str, Contract],
    folder: Path,
    targets: Destination,
    stop: CancelToken,
) -> Sealed:
    """Seal what a survey left in `folder`; on an error nothing of the attempt remains there or in the targets.

    `contracts` are those that the outputs were given.

    Raises InvariantBroken unless every spilled row was accepted or quarantined, and Cancelled if `stop` is.
    """
    began = time.monotonic()
    lineage = lineage_of(parser, order)
    attempt = Attempt(job=order.job, attempt=order.attempt)
    pending = read_pending(folder)
    channels: dict[str, Channel] = {}
    try:
        for spilled in pending.spilled:
            contract = contracts[spilled.output]
            table, sinks = contract.table, targets.sinks_of(contract.table)
            channel = channels.setdefault(table, Channel(table, contract, attempt, sinks, lineage))
            _cast(spilled, folder, contract, channel, stop)
        sealed = seal_channels(channels.values())
        _check_none_is_lost(pending, sealed)
    except BaseException as exc:
        try:
            with ExitStack() as stack:
                stack.callback(targets.discard, attempt, pending.receipt.outputs)
                for channel in channels.values():
                    stack.callback(channel.discard)
        except SinkError as left:  # files that nobody will name; what led here is what is reported
            exc.add_note(f"what was staged could not be removed: {left.message} ({left.why})")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    receipt = with_more(pending.receipt, sealed, time.monotonic() - began)
    return Sealed(jobs=[JobReceipt(job=order.job, attempt=order.attempt, receipt=receipt)])


def drop_spilled(folder: Path, job: int, attempt: int, open_sink: Callable[[str], Sink]) -> None:
    """Leave nothing of a survey, in `folder` or in any sink; raises SinkError if a sink kept its part."""
    if folder.exists():
        outputs = read_pending(folder).receipt.outputs
        shutil.rmtree(folder, ignore_errors=True)
        discard(open_sink, Attempt(job=job, attempt=attempt), outputs)


def _cast(spilled: Spilled, folder: Path, contract: Contract, channel: Channel, stop: CancelToken) -> None:
    if spilled.rows is not None:
        for batch, source_row, start, end in read_spill(folder / spilled.rows):
            stop.check()
            channel.accept(under_contract(batch, contract), source_row, start, end)
    if spilled.rejected is not None:
        for batch, source_row, _start, _end in read_spill(folder / spilled.rejected):
            stop.check()
            channel.reject(batch, source_row)


def _check_none_is_lost(pending: Pending, sealed: SealedTables) -> None:
    spilled = sum(each.count for each in pending.spilled)
    if (found := sum(count.emitted for count in sealed.counts)) != spilled:
        raise InvariantBroken("rows were lost while they waited", why=f"{spilled} were kept, {found} were sealed")
