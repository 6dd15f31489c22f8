"""Many rehearsals, several at a time, worst first, until a stop rule holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from casparian_flow.core.backtests import BacktestOutcome
from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Modes
from casparian_flow.core.errors import (
    CasparianError,
    ContractFrozen,
    InvariantBroken,
    ParserFailed,
    SourceChanged,
    SourceUnreadable,
)
from casparian_flow.core.repairs import Repair
from casparian_flow.lab.arrow_files import KeysOf
from casparian_flow.lab.comparing import NOTHING, Comparing, FileDifference, FileRows, TableRows, no_rows
from casparian_flow.lab.rehearsal import Rehearsed, Retained, rehearse
from casparian_flow.protocol.messages import Limits, ParserOrder
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.treating import closed_error, is_closed
from casparian_flow.worker.zygotes import Zygotes

ENOUGH_FILES = 10
"""A share of files that fail is not judged before so many could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A file that is to be read again, its past, and what of it is there now.

    `failures` counts the jobs over these bytes that failed, `has_failed_last` says so of the newest one; `quarantined`
    are its rows in quarantine. `has_landed`: it brought something, so that failing would be new.
    """

    bytes: Retained
    display: str
    old: FileRows
    has_landed: bool
    options: Mapping[str, str]
    """Under which it is read, standing ones and those asked for."""
    config_hash: str
    """Digest of what a run that reads it so is configured by."""
    failures: int = 0
    has_failed_last: bool = False
    quarantined: int = 0
    repairs: Sequence[Repair] = ()
    jobs: Sequence[int] = ()
    """Those whose rows are there now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRules:
    """When to read no further file; None is no rule.

    `lost` is a number of rows; `failing` a share of the files that landed before and would fail.
    """

    most_files: int | None = None
    lost: int | None = None
    failing: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of one file. With an `error` it failed, or what is there could not be read to compare with it."""

    subject: Subject
    outcome: BacktestOutcome
    difference: FileDifference
    contracts: Mapping[str, Contract]
    brought: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """How many rows it brought to each table, accepted and rejected."""
    error: CasparianError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Under what files are read: `contracts_of` gives those that a job over these bytes would be ordered with.

    The options of `parser` are those of each subject. `workers` files are read at a time.
    """

    parser: ParserOrder
    contracts_of: Callable[[Retained], Mapping[str, Contract]]
    modes: Modes
    limits: Limits
    scratch: Path
    workers: int = 1
    pseudonym_key: bytes = field(default=b"", repr=False)
    keys_of: KeysOf | None = None
    """What rows are compared with; a file is never compared with its own of now."""


class Rehearsals:
    """Reads files as jobs would and compares each with what is there; keeps nothing, writes to no sink."""

    def __init__(self, conditions: Conditions, rules: StopRules) -> None:
        self._conditions = conditions
        self._rules = rules
        self._lost = 0
        self._files = 0
        self._could_fail = 0
        self._failed = 0
        self.stop_reason: str | None = None
        """Why not every file was read; None if all were."""

    def each(self, subjects: Iterable[Subject]) -> Iterator[Tried]:
        """Every file in the order of `worst_first`; those whose turn never came are `not_run`.

        What is read ahead of its turn counts for nothing once a rule says stop: however many are read at a time, the
        answer is the same.
        """
        ordered = worst_first(subjects)
        with closing(self._read(ordered)) as readings, Comparing(self._conditions.scratch) as comparing:
            for subject in ordered:
                self.stop_reason = self.stop_reason or self._why_stop()
                if self.stop_reason is not None:
                    readings.close()
                    outcome, nothing = BacktestOutcome.NOT_RUN, FileDifference()
                    yield Tried(subject=subject, outcome=outcome, difference=nothing, contracts={})
                    continue
                tried = _tried(subject, next(readings), comparing)
                self._count(tried)
                yield tried

    def _read(self, ordered: Sequence[Subject]) -> Generator[Rehearsed | CasparianError, None, None]:
        """What each file comes to, in this order; stops at once what it still reads when it is closed."""
        ahead: deque[Future[Rehearsed | CasparianError]] = deque()
        cancel = CancelToken()
        with (
            closing(Zygotes(self._conditions.scratch)) as zygotes,
            ThreadPoolExecutor(self._conditions.workers, thread_name_prefix="rehearsal") as pool,
        ):
            try:
                for subject in ordered[: self._rules.most_files]:
                    ahead.append(pool.submit(self._rehearsed, subject, zygotes, cancel))
                    if len(ahead) == self._conditions.workers:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                cancel.cancel()
                pool.shutdown(cancel_futures=True)

    def _rehearsed(self, subject: Subject, zygotes: Zygotes, cancel: CancelToken) -> Rehearsed | CasparianError:
        given = self._conditions
        contracts = given.contracts_of(subject.bytes)
        parser = msgspec.structs.replace(given.parser, options=dict(subject.options))
        try:
            return rehearse(
                parser,
                subject.bytes,
                contracts,
                given.modes,
                subject.repairs,
                given.scratch,
                limits=given.limits,
                zygotes=zygotes,
                pseudonym_key=given.pseudonym_key,
                keys_of=given.keys_of,
                supersedes=subject.jobs,
                cancel=cancel,
            )
        except (ParserFailed, SourceChanged, SourceUnreadable, InvariantBroken, ContractFrozen) as exc:
            return closed_error(parser, exc) if is_closed(parser, contracts) else exc

    def _count(self, tried: Tried) -> None:
        self._files += 1
        self._lost += tried.difference.lost
        if tried.subject.has_landed:
            self._could_fail += 1
            self._failed += isinstance(tried.error, ParserFailed) and tried.outcome is BacktestOutcome.FAILED

    def _why_stop(self) -> str | None:
        rules = self._rules
        if rules.most_files is not None and self._files >= rules.most_files:
            return f"{self._files:,} {'file was' if self._files == 1 else 'files were'} read, as many as were asked for"
        if rules.lost is not None and self._lost >= rules.lost:
            return f"{self._lost:,} {'row' if self._lost == 1 else 'rows'} would be lost"
        if rules.failing is not None and self._could_fail >= ENOUGH_FILES:
            share = self._failed / self._could_fail
            if share > rules.failing:
                return f"{self._failed:,} of {self._could_fail:,} files that landed before would fail"
        return None


def worst_first(subjects: Iterable[Subject]) -> list[Subject]:
    """Those whose newest job failed, then those that failed most often, then those with most rows in quarantine."""
    return sorted(subjects, key=lambda s: (not s.has_failed_last, -s.failures, -s.quarantined, s.display))


def _tried(subject: Subject, found: Rehearsed | CasparianError, comparing: Comparing) -> Tried:
    """What became of a file, given what reading it came to."""
    if isinstance(found, CasparianError):
        outcome, nothing = BacktestOutcome.FAILED, FileDifference()
        return Tried(subject=subject, outcome=outcome, difference=nothing, contracts={}, error=found)
    new = rows_of(found)
    error: CasparianError | None = None
    try:
        difference = comparing.compare(subject.old, new)
    except CasparianError as exc:
        error, difference = exc, _by_numbers(subject.old, new)
    is_same = error is None and difference.is_same
    return Tried(
        subject=subject,
        outcome=BacktestOutcome.SAME if is_same else BacktestOutcome.CHANGED,
        difference=difference,
        contracts=found.contracts,
        brought={table: (rows.accepted, rows.rejected) for table, rows in new.items()},
        error=error,
    )


def rows_of(found: Rehearsed) -> dict[str, TableRows]:
    """What a rehearsal brought, by table, to be compared."""
    digests = found.digests

    def table_rows(table: str, accepted: int, rejected: int) -> TableRows:
        return TableRows(
            accepted=accepted,
            rejected=rejected,
            digest=digests.get(table, ""),
            read_accepted=lambda: found.accepted[table].to_reader() if table in found.accepted else no_rows(),
            read_rejected=lambda: found.rejected[table].to_reader() if table in found.rejected else no_rows(),
        )

    return {each.table: table_rows(each.table, each.accepted, each.quarantined) for each in found.receipt.counts}


def _by_numbers(old: FileRows, new: FileRows) -> FileDifference:
    """What the numbers alone say, where the rows that are there cannot be read."""
    gained = lost = quarantined = 0
    digests = {}
    for table in sorted({*old, *new}):
        before, after = old.get(table, NOTHING), new.get(table, NOTHING)
        gained += max(after.accepted - before.accepted, 0)
        lost += max(before.accepted - after.accepted, 0)
        quarantined += max(after.rejected - before.rejected, 0)
        digests[table] = (before.digest, after.digest)
    return FileDifference(gained=gained, lost=lost, quarantined=quarantined, digests=digests)
