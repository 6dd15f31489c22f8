"""Every sink of the world in memory: what is staged, which log entries were written, and whose rows that shows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.core.outputs import PermittedEntry, Role, SealedOutput
from casparian_flow.core.receipts import Receipt
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.layout import owner_of
from casparian_flow.sinks.log import parse_entry
from casparian_flow.worker.held import Key


class Violation(AssertionError):
    """A law of the protocol does not hold."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows of one attempt in one table of one sink, visible to everybody."""

    uri: str
    table: str
    attempt: int
    digest: str
    file: str


class Sinks:
    """All sinks; they survive every crash, and may be out of reach for a while."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.failing = 0.0
        self._staged: dict[tuple[str, str, str], dict[int, str]] = defaultdict(dict)
        """Every file with the digest of the rows that each job has in it."""
        self._entries: dict[tuple[str, str, Role, int], bytes] = {}
        self._committed: set[tuple[str, str, Role, int]] = set()
        self.shown: dict[int, set[Shown]] = defaultdict(set)
        self.changes = 0

    def places_of(self, job: int) -> int:
        """In how many tables of how many sinks rows of a job became visible, even if other rows replaced them since."""
        return sum(each[3] == job for each in self._committed)

    def open(self, uri: str) -> MemorySink:
        """The sink of that URI."""
        return MemorySink(self, uri)

    def seal(self, keys: Sequence[Key], receipts: list[Receipt]) -> list[Receipt]:
        """The receipts of a group whose files are staged now."""
        for (job, _attempt), receipt in zip(keys, receipts, strict=True):
            for output in receipt.outputs:
                for file in output.files:
                    self._staged[output.sink, output.table, file.name][job] = output.row_digest
        return receipts

    def check_end(self) -> None:
        """What else holds when everything is over."""

    def promote(self, permitted: PermittedEntry) -> None:
        """Write one entry; writing it again changes nothing."""
        self.may_fail(permitted.sink)
        name = (permitted.sink, permitted.table, permitted.role, permitted.seq)
        if name in self._entries:
            if self._entries[name] != permitted.body:
                raise Violation(f"entry {permitted.seq} of {permitted.table} was permitted with two contents")
            return
        self.changes += 1
        entry = parse_entry(permitted.body, permitted.sink)
        self._entries[name] = permitted.body
        for job in entry.removed_jobs:
            self.shown[job] = {each for each in self.shown[job] if (each.uri, each.table) != name[:2]}
        attempts = {record.job: record.attempt for record in entry.jobs}
        for file in entry.adds:
            staged = self._staged.get((permitted.sink, permitted.table, file.name))
            if staged is None:
                raise Violation(f"{file.name} of {permitted.table} was permitted, and is gone")
            if (jobs := {part.job for part in file.jobs}) != staged.keys():
                raise Violation(f"{file.name} holds rows of {sorted(staged)}, and {sorted(jobs)} are permitted")
            owner = owner_of(permitted.table, file.name.partition("/")[2])
            if owner is None or attempts.get(owner.job, owner.attempt) != owner.attempt:
                raise Violation(f"{file.name} is a file of none of the attempts {attempts}")
            for job, digest in staged.items():
                self._show(job, permitted, Shown(*name[:2], attempts[job], digest, file.name))

    def promote_without_permit(self, outputs: Iterable[SealedOutput], job: int) -> None:
        """What a worker could do that does not ask."""
        self.changes += 1
        for output in outputs:
            for file in output.files:
                owner = owner_of(output.table, file.name.partition("/")[2])
                assert owner is not None
                self.shown[job].add(Shown(output.sink, output.table, owner.attempt, output.row_digest, file.name))

    def discard(self, attempt: Attempt, uri: str | None = None) -> None:
        """Remove what an attempt staged and nobody sees."""
        for where in list(self._staged):
            owner = owner_of(where[1], where[2].partition("/")[2])
            if owner == attempt and uri in (None, where[0]) and not self._is_shown(where):
                del self._staged[where]

    def sweep(self, uri: str, keep: Sequence[Attempt]) -> int:
        """Remove what nobody sees and `keep` does not name."""
        before = len(self._staged)
        owners = {owner_of(table, name.partition("/")[2]) for sink, table, name in self._staged if sink == uri}
        for owner in owners - {None, *keep}:
            assert owner is not None
            self.discard(owner, uri)
        return before - len(self._staged)

    def may_fail(self, uri: str) -> None:
        """Raises SinkUnavailable if the sink is out of reach right now."""
        if self._chance.random() < self.failing:
            raise SinkUnavailable(f"{uri} went away")

    def _show(self, job: int, permitted: PermittedEntry, shown: Shown) -> None:
        commit = (permitted.sink, permitted.table, permitted.role, job)
        if commit in self._committed:
            raise Violation(f"rows of job {job} were committed twice to {permitted.table}")
        self._committed.add(commit)
        self.shown[job].add(shown)

    def _is_shown(self, where: tuple[str, str, str]) -> bool:
        return any(
            (each.uri, each.table, each.file) == where for job in self._staged[where] for each in self.shown[job]
        )


class MemorySink:
    """One sink, as whoever promotes or discards opens it."""

    def __init__(self, world: Sinks, uri: str) -> None:
        self._world = world
        self._uri = uri

    def promote(self, entries: Sequence[PermittedEntry]) -> None:
        """As `Sink.promote`, one entry after the other."""
        for entry in entries:
            self._world.promote(entry)

    def discard(self, attempt: Attempt, outputs: Sequence[SealedOutput]) -> None:
        """As `Sink.discard`."""
        self._world.may_fail(self._uri)
        self._world.discard(attempt, self._uri)

    def sweep(self, keep: Sequence[Attempt]) -> int:
        """As `Sink.sweep`."""
        self._world.may_fail(self._uri)
        return self._world.sweep(self._uri, keep)
