"""The second half of a surveyed group: staged rows are cast to the contracts that were found for them, and sealed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Modes
from casparian_flow.core.errors import InvariantBroken, SinkError
from casparian_flow.core.outputs import SealedOutput
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.bodies import CastJob, JobReceipt, Sealed
from casparian_flow.protocol.messages import ParserOrder
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.channels import Channels
from casparian_flow.worker.gathered import Gathered, Run
from casparian_flow.worker.pending import Pending, Spilled, read_pending
from casparian_flow.worker.seal import SealedTables, check_size, seal_channels, with_more
from casparian_flow.worker.spill import read_spill
from casparian_flow.worker.tables import under_contract
from casparian_flow.worker.targets import Destination, discard


def cast_spilled(
    parser: ParserOrder,
    jobs: Sequence[CastJob],
    contracts: Mapping[str, Contract],
    modes: Modes,
    folder: Path,
    targets: Destination,
    stop: CancelToken,
    only: Sequence[int] | None = None,
    *,
    pseudonym_key: bytes = b"",
) -> Sealed:
    """Seal what a survey left in `folder`, which stays; on an error nothing of the group remains in the targets.

    `jobs` are those of the survey in its order, `contracts` those of all their tables. With `only`, some of them by
    themselves, which `can_be_divided` must allow.

    Raises InvariantBroken unless every spilled row was accepted or quarantined, and Cancelled if `stop` is.
    """
    began = time.monotonic()
    members = range(len(jobs)) if only is None else only
    casts = [jobs[member] for member in members]
    orders = [each.job for each in casts]
    pending = read_pending(folder)
    receipts = [pending.receipts[member] for member in members]
    channels = Channels(parser, orders, contracts, modes, targets, folder, pseudonym_key)
    try:
        for spilled in pending.spilled:
            _cast(spilled, folder, {member: at for at, member in enumerate(members)}, casts, contracts, channels, stop)
        tables = [list(dict.fromkeys(each.tables.values())) for each in casts]
        for at, its in enumerate(tables):
            for table in its:
                channels.of(table).expect(at)
        sealed = seal_channels(channels, tables)
        _check_none_is_lost(pending, members, sealed)
        seconds = (time.monotonic() - began) / len(orders)
        outcome = Sealed(
            jobs=[
                JobReceipt(job=order.job, attempt=order.attempt, receipt=with_more(receipt, its, seconds))
                for order, receipt, its in zip(orders, receipts, sealed, strict=True)
            ]
        )
        check_size(outcome)
    except BaseException as exc:
        try:
            with ExitStack() as stack:
                owner = Attempt(job=orders[0].job, attempt=orders[0].attempt)
                stack.callback(targets.discard, owner, outputs_of(receipts))
                stack.callback(channels.discard)
        except SinkError as left:  # files that nobody will name; what led here is what is reported
            exc.add_note(f"what was staged could not be removed: {left.message} ({left.why})")
        raise
    return outcome


def can_be_divided(folder: Path) -> bool:
    """Whether the members of a survey can be sealed one by one: nothing of them shares a file in a target already."""
    try:
        return not outputs_of(read_pending(folder).receipts)
    except (OSError, msgspec.MsgspecError):  # nobody knows what they share
        return False


def drop_spilled(folder: Path, job: int, attempt: int, open_sink: Callable[[str], Sink]) -> None:
    """Leave nothing of a survey, in `folder` or in any sink; raises SinkError if a sink kept its part.

    The attempt is the one that leads the group.
    """
    if folder.exists():
        outputs = outputs_of(read_pending(folder).receipts)
        shutil.rmtree(folder, ignore_errors=True)
        discard(open_sink, Attempt(job=job, attempt=attempt), outputs)


def outputs_of(receipts: Sequence[Receipt]) -> list[SealedOutput]:
    """What a group sealed, for whoever discards it: what several of its members share is there once."""
    found: dict[tuple[str, str, str, tuple[str, ...]], SealedOutput] = {}
    for receipt in receipts:
        for output in receipt.outputs:
            names = tuple(file.name for file in output.files)
            found.setdefault((output.sink, output.table, output.role, names), output)
    return list(found.values())


def _cast(
    spilled: Spilled,
    folder: Path,
    places: Mapping[int, int],
    casts: Sequence[CastJob],
    contracts: Mapping[str, Contract],
    channels: Channels,
    stop: CancelToken,
) -> None:
    """Hand on the rows of those members that have a place now."""
    for rows in _with_runs(spilled, folder):
        stop.check()
        for table, part in _by_table(rows, [_table_of(spilled, casts, places.get(member)) for member, _ in rows.runs]):
            if table is None:
                continue
            mine = part.with_members(places)
            if spilled.is_rejected:
                channels.of(table).reject(mine)
            else:
                channels.of(table).accept(mine.with_batch(under_contract(mine.batch, contracts[table])))


def _table_of(spilled: Spilled, casts: Sequence[CastJob], at: int | None) -> str | None:
    return None if at is None else casts[at].tables[spilled.output]


def _with_runs(spilled: Spilled, folder: Path) -> Iterator[Gathered]:
    """Each batch as it was spilled, with whose rows they are."""
    runs = iter(spilled.runs)
    member, left = next(runs)
    for batch, source_row, start, end in read_spill(folder / spilled.name):
        mine, rows = [], batch.num_rows
        while rows:
            if not left:
                member, left = next(runs)
            taken = min(rows, left)
            mine.append(Run(member, taken))
            rows, left = rows - taken, left - taken
        yield Gathered(batch=batch, source_row=source_row, start=start, end=end, runs=mine)


def _by_table(rows: Gathered, tables: Sequence[str | None]) -> Iterator[tuple[str | None, Gathered]]:
    """The rows by table, each of the runs being for one: mostly all of them are for the same."""
    first = 0
    for at in range(1, len(tables) + 1):
        if at == len(tables) or tables[at] != tables[first]:
            whole = first == 0 and at == len(tables)
            yield tables[first], rows if whole else rows.part(first, at)
            first = at


def _check_none_is_lost(pending: Pending, members: Sequence[int], sealed: Sequence[SealedTables]) -> None:
    kept = dict.fromkeys(range(len(pending.receipts)), 0)
    for each in pending.spilled:
        for member, rows in each.runs:
            kept[member] += rows
    for member, its in zip(members, sealed, strict=True):
        found = sum(count.emitted for count in its.counts)
        if found != kept[member]:
            why = f"{kept[member]} were kept, {found} were sealed"
            raise InvariantBroken("rows were lost while they waited", why=why)
