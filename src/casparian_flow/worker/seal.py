"""From channels to a receipt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.outputs import SealedOutput
from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.core.receipts import MOST_NOTES, DriftNote, KnownTable, OutputCounts, Receipt, VerdictNote
from casparian_flow.protocol.bodies import Sealed, Surveyed
from casparian_flow.protocol.codec import told_size
from casparian_flow.protocol.opcodes import TOLD_TOGETHER
from casparian_flow.worker.carrying import Carried
from casparian_flow.worker.channel import SealedTable
from casparian_flow.worker.channels import Channels
from casparian_flow.worker.surroundings import VERSION, host_name, user_name


@dataclass(frozen=True, slots=True)
class SealedTables:
    """Everything that was sealed for one member."""

    counts: tuple[OutputCounts, ...]
    outputs: tuple[SealedOutput, ...]
    groups: tuple[QuarantineGroup, ...]
    drift: tuple[DriftNote, ...]
    known: tuple[KnownTable, ...] = ()


def seal_channels(channels: Channels, orders: Sequence[Sequence[str]]) -> list[SealedTables]:
    """Flush every channel to disk; what each member has, its tables in the order given for it."""
    sealed = channels.seal()
    return [
        _joined([sealed[table][member] for table in order if member in sealed.get(table, ())])
        for member, order in enumerate(orders)
    ]


def _joined(tables: Sequence[SealedTable]) -> SealedTables:
    return SealedTables(
        tuple(table.counts for table in tables),
        tuple(output for table in tables for output in table.outputs),
        tuple(group for table in tables for group in table.groups),
        _bounded([note for table in tables for note in table.drift]),
        _earliest([each for table in tables for each in table.known]),
    )


def receipt_of(
    sealed: SealedTables,
    verdicts: tuple[VerdictNote, ...],
    isolation: str,
    seconds: float,
    size: int,
    carried: Carried | None = None,
) -> Receipt:
    """The evidence of one attempt on this machine; without rows that are `carried`, the whole file was read."""
    return Receipt(
        counts=sealed.counts,
        outputs=sealed.outputs,
        groups=sealed.groups,
        drift=sealed.drift,
        known=sealed.known,
        verdicts=verdicts,
        isolation=isolation,
        seconds=seconds,
        bytes_read=size if carried is None else carried.bytes,
        host=host_name(),
        user=user_name(),
        version=VERSION,
        carries=None if carried is None else carried.job,
        carried=0 if carried is None else carried.rows,
    )


def with_more(receipt: Receipt, sealed: SealedTables, seconds: float) -> Receipt:
    """The receipt with what was sealed later."""
    return replace(
        receipt,
        counts=_by_table((*receipt.counts, *sealed.counts)),
        outputs=receipt.outputs + sealed.outputs,
        groups=receipt.groups + sealed.groups,
        drift=_bounded([*receipt.drift, *sealed.drift]),
        known=_earliest([*receipt.known, *sealed.known]),
        seconds=receipt.seconds + seconds,
    )


def _bounded(notes: Sequence[DriftNote]) -> tuple[DriftNote, ...]:
    """The notes of a receipt: beyond the most that it may have, the rest is one, by the name of its largest."""
    if len(notes) <= MOST_NOTES:
        return tuple(notes)
    by_rows = sorted(notes, key=lambda note: (-note.rows, note.table, note.axis, note.column, note.detail))
    kept, rest = set(by_rows[: MOST_NOTES - 1]), by_rows[MOST_NOTES - 1 :]
    rows = sum(note.rows for note in rest)
    others = DriftNote(
        table=rest[0].table, axis=rest[0].axis, column="", detail=f"and {len(rest) - 1} others", rows=rows
    )
    return (*(note for note in notes if note in kept), others)


def _earliest(known: Sequence[KnownTable]) -> tuple[KnownTable, ...]:
    """Each table whose keys were asked once, as it was when they were asked first."""
    found: dict[str, int] = {}
    for each in known:
        found[each.table] = min(each.seq, found.get(each.table, each.seq))
    return tuple(KnownTable(table=table, seq=seq) for table, seq in sorted(found.items()))


def check_size(outcome: Sealed | Surveyed) -> None:
    """Raises InvariantBroken if it tells more of several jobs than fits into one message: each is told alone then."""
    if len(outcome.jobs) > 1 and sum(map(told_size, outcome.jobs)) > TOLD_TOGETHER:
        raise InvariantBroken("what became of these jobs cannot be told at once")


def _by_table(counts: Iterable[OutputCounts]) -> tuple[OutputCounts, ...]:
    """One count per table: two outputs can mean the same one, of which only the second waited for its contract."""
    found: dict[str, OutputCounts] = {}
    for each in counts:
        known = found.get(each.table, OutputCounts(table=each.table, emitted=0, accepted=0, quarantined=0))
        found[each.table] = OutputCounts(
            table=each.table,
            emitted=known.emitted + each.emitted,
            accepted=known.accepted + each.accepted,
            quarantined=known.quarantined + each.quarantined,
            rescued=known.rescued + each.rescued,
            modes=known.modes or each.modes,
        )
    return tuple(found.values())
