"""What every sink promises: stage and seal hidden rows, promote them once, tell what is visible."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from casparian_flow.core.outputs import PermittedEntry, Role, SealedOutput

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Whose rows these are: part of every name that an attempt writes, so that names never collide."""

    job: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is visible of one table in one role: data files in log order, minus the rows of removed jobs.

    `files` are paths, none where a sink keeps rows otherwise; whether they are Parquet that anyone may open says
    `Sink.has_parquet_files`. `removed_jobs` are jobs whose rows, still present in some of the files, are
    superseded; `jobs` are those whose rows count, as the log says it; `rows` counts what remains; `seq` is the last
    log entry that was read, 0 for a table without a commit.
    """

    files: Sequence[str]
    removed_jobs: Sequence[int]
    jobs: frozenset[int]
    rows: int
    seq: int


EntryName = tuple[str, Role, int]
"""A log entry by its table, role and number."""


class Staged(Protocol):
    """One table of one attempt while it is being written; hidden until promoted."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows, lineage columns included; every batch has the schema given to `stage`."""

    def seal(self, row_digest: str, schema_hash: str) -> SealedOutput:
        """Flush everything to disk and tell what was written; no write may follow.

        Both digests are the caller's, who saw the rows before they were encoded; the sink only reports them. An
        output without rows still has a file, so that its columns can be read.
        """

    def discard(self) -> None:
        """Remove what was written; allowed at any time before promotion, and twice."""


class Staging(Protocol):
    """Where the rows of an attempt are put before anybody sees them."""

    def stage(self, attempt: Attempt, table: str, role: Role, contract_version: int, schema: pa.Schema) -> Staged:
        """Open a hidden place for one table of one attempt. Raises UsageError if the table cannot be named so."""


class Sink(Staging, Protocol):
    """A place where tables land. `uri` is absolute and names no table.

    With `has_parquet_files` every file of a snapshot is Parquet and may be opened by itself; else only `read` tells
    what the rows are.
    """

    uri: str
    has_parquet_files: bool

    def check(self) -> None:
        """Raises SinkUnavailable, saying why and what to do, unless the target can be written to."""

    def owner(self) -> str | None:
        """The home that claimed the target; None as long as no home has."""

    def claim(self, home: str) -> None:
        """Make the target that home's own, durably and for ever; raises TargetOwned if another home has it.

        Doing it again changes nothing. Two homes would give their commits the same numbers.
        """

    def promote(self, entries: Sequence[PermittedEntry]) -> None:
        """Make the permitted entries visible, durably. Doing it again changes nothing.

        Raises LogConflict if a name exists with other bytes.
        """

    def discard(self, attempt: Attempt, outputs: Sequence[SealedOutput]) -> None:
        """Remove the sealed but never promoted files of an attempt; allowed twice."""

    def sweep(self, keep: Sequence[Attempt]) -> int:
        """Remove data files that no log entry names and that belong to none of `keep`; how many went.

        What the sink did not write stays, whatever it is.
        """

    def snapshot(self, table: str, role: Role, as_of: int | None = None) -> Snapshot:
        """What is visible now, or was when the entry `as_of` was the last."""

    def read(
        self,
        table: str,
        role: Role,
        as_of: int | None = None,
        columns: Sequence[str] | None = None,
        jobs: Collection[int] | None = None,
    ) -> pa.RecordBatchReader:
        """The rows now, or after the log entry `as_of`, in log order, a batch at a time in bounded memory.

        Columns of all contract versions are joined by name, typed, the newest version's first and lineage last; where
        types differ the wider one is taken, and text where none is wider. `columns` are the ones wanted, in the order
        wanted, `jobs` those whose rows are: the columns stay those of the whole table, but beside one file of each
        contract version, which tells them, nothing is opened that holds none of theirs.

        Raises NotFound for a table without a commit and for a column that it does not have, VerificationFailed,
        perhaps in the middle of reading, for what is missing or damaged.
        """

    def present(self, entries: Collection[EntryName]) -> set[EntryName]:
        """Those of these log entries that are there."""

    def tables(self, role: Role) -> list[str]:
        """The tables that have at least one log entry."""
