"""Whether a file may bring as many rejected rows as it does: the tolerances, and the cap of the quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError, OverTolerance, QuarantineFull, ToleranceFailed
from casparian_flow.core.holds import Hold, judging_hashes, tolerances_digest
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.core.tolerances import Outcome, Per, Tolerance
from casparian_flow.sentinel.runs import Run
from casparian_flow.store import holds, rejected
from casparian_flow.store import outputs as output_store
from casparian_flow.store.facts import Facts

MEGABYTE = 1_000_000


@dataclass(slots=True)
class Brought:
    """Rows that a run has brought so far, by table: all of them, and those that were rejected."""

    emitted: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)

    def add(self, receipt: Receipt) -> None:
        """Count one file."""
        for count in receipt.counts:
            self.emitted[count.table] += count.emitted
            self.quarantined[count.table] += count.quarantined


def judge(receipt: Receipt, brought: Brought, contracts: Mapping[str, Contract], share: float) -> CasparianError | None:
    """Why a file may not land with what was rejected of it; None if it may.

    Tables without tolerances of their own are judged together by `share`, how many of a file's rows may be rejected.
    Of several tolerances that are broken the strictest outcome holds. `brought` is what the run brought before.
    """
    return judge_counts(receipt.counts, brought, contracts, share)


def judge_counts(
    counts: Sequence[OutputCounts], brought: Brought, contracts: Mapping[str, Contract], share: float
) -> CasparianError | None:
    """The same of the rows that a file brought to each table."""
    broken = [each for each in _asked(counts, brought, contracts, share) if each.is_broken]
    for outcome, error in ((Outcome.FAIL, ToleranceFailed), (Outcome.HOLD, OverTolerance)):
        for each in broken:
            if each.tolerance.outcome is outcome:
                return error(each.says)
    return None


def least_sample(counts: Sequence[OutputCounts], contracts: Mapping[str, Contract]) -> int | None:
    """From how many rows on a share would count that these rows are beyond, as far as they are too few for it."""
    return max(
        (
            each.tolerance.min_sample
            for each in _asked(counts, Brought(), contracts, 1.0)
            if each.is_beyond_ratio and each.emitted < each.tolerance.min_sample
        ),
        default=None,
    )


def judge_group(
    connection: Connection, run: Run, group: Sequence[tuple[Facts, Receipt]], contracts: Mapping[str, Contract]
) -> dict[int, CasparianError]:
    """What keeps files that were sealed together from landing, by job: each counts for those that come after it.

    What was counted of such a file is kept with its job.
    """
    if not any(receipt.quarantined for _, receipt in group):
        return {}
    wrong: dict[int, CasparianError] = {}
    brought = _brought(connection, run, group, contracts)
    held = _bytes_held(connection, run, group)
    for facts, receipt in group:
        error = judge(receipt, brought, contracts, run.policy.tolerance) if receipt.quarantined else None
        more = sum(each.bytes for each in receipt.groups)
        if error is None and more and run.policy.quarantine_bytes and held + more > run.policy.quarantine_bytes:
            error = QuarantineFull(_too_much(held, more, run.policy.quarantine_bytes))
        if error is not None:
            wrong[facts.id] = error
            hold = Hold(
                counts=receipt.counts,
                bytes=more,
                tolerances=tolerances_digest(receipt.counts, contracts, run.policy.tolerance),
                contracts=judging_hashes(receipt.counts, contracts),
            )
            holds.keep(connection, facts.id, msgspec.json.encode(hold).decode())
            continue
        brought.add(receipt)
        held += more
    return wrong


@dataclass(frozen=True, slots=True)
class _Judged:
    """One tolerance beside the rows that it is about."""

    tolerance: Tolerance
    what: str
    emitted: int
    quarantined: int

    @property
    def is_broken(self) -> bool:
        limit = self.tolerance
        if limit.rows is not None and self.quarantined > limit.rows:
            return True
        return self.is_beyond_ratio and self.emitted >= limit.min_sample

    @property
    def is_beyond_ratio(self) -> bool:
        """Whether more than the share is rejected, were these rows enough for it to count."""
        limit = self.tolerance.ratio
        return limit is not None and self.emitted > 0 and self.quarantined / self.emitted > limit

    @property
    def says(self) -> str:
        rows = self.tolerance.rows
        limits = [] if rows is None else ["1 row" if rows == 1 else f"{rows} rows"]
        limits += [] if self.tolerance.ratio is None else [f"{self.tolerance.ratio:.2%}"]
        return f"{self.quarantined} of {self.emitted} rows{self.what} were rejected, more than {' or '.join(limits)}"


def _asked(
    counts: Sequence[OutputCounts], brought: Brought, contracts: Mapping[str, Contract], share: float
) -> Iterator[_Judged]:
    general: list[OutputCounts] = []
    for count in counts:
        contract = contracts.get(count.table)
        if contract is None or not contract.tolerance:
            general.append(count)
            continue
        for tolerance in contract.tolerance:
            match tolerance.per:
                case Per.FILE:
                    yield _of(tolerance, "", counts)
                case Per.OUTPUT:
                    yield _of(tolerance, f" of {count.table}", [count])
                case Per.RUN:
                    emitted = brought.emitted[count.table] + count.emitted
                    rejected_rows = brought.quarantined[count.table] + count.quarantined
                    yield _Judged(tolerance, f" of {count.table} in this run", emitted, rejected_rows)
    yield _of(Tolerance(ratio=share, min_sample=1), "", general)


def _of(tolerance: Tolerance, what: str, counts: Sequence[OutputCounts]) -> _Judged:
    return _Judged(tolerance, what, sum(count.emitted for count in counts), sum(count.quarantined for count in counts))


def _brought(
    connection: Connection, run: Run, group: Sequence[tuple[Facts, Receipt]], contracts: Mapping[str, Contract]
) -> Brought:
    """What the run brought before this group: recorded, permitted, or held until its end."""
    brought = Brought()
    tables = {count.table for _, receipt in group for count in receipt.counts}
    if not any(each.per is Per.RUN for name in tables if name in contracts for each in contracts[name].tolerance):
        return brought
    for row in output_store.brought_by_plan(connection, run.plan):
        brought.emitted[row.table_name] += row.accepted + row.quarantined
        brought.quarantined[row.table_name] += row.quarantined
    for receipt in _not_recorded(connection, run, run.plan):
        brought.add(receipt)
    return brought


def _bytes_held(connection: Connection, run: Run, group: Sequence[tuple[Facts, Receipt]]) -> int:
    """What the quarantine takes without the group; files that are read again replace what they had there."""
    if not run.policy.quarantine_bytes:
        return 0
    waiting = sum(each.bytes for receipt in _not_recorded(connection, run, None) for each in receipt.groups)
    return waiting + rejected.bytes_held(connection, but_of=[facts.source_hash for facts, _ in group])


def _not_recorded(connection: Connection, run: Run, plan: int | None) -> Iterator[Receipt]:
    for text in rejected.permitted(connection, plan):
        yield msgspec.json.decode(text, type=Receipt)
    yield from (receipt for _, receipt in run.held.values())


def _too_much(held: int, more: int, cap: int) -> str:
    return (
        f"its rejected rows take {more / MEGABYTE:,.1f} MB; of {cap / MEGABYTE:,.1f} MB for the quarantine "
        f"{max(cap - held, 0) / MEGABYTE:,.1f} MB are left"
    )
