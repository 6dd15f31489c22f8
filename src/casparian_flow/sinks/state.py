"""The state of a table while its log is read: which files are visible, and whose rows in them count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.sinks.base import Snapshot
from casparian_flow.sinks.log import AddedFile, Entry


@dataclass(slots=True)
class VisibleFile:
    """A file, and those of its jobs whose rows count: never none."""

    file: AddedFile
    live: set[int]
    _rows: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._rows = {part.job: part.rows for part in self.file.jobs}

    def rows_of(self, job: int) -> int:
        """How many of the file's rows belong to the job."""
        return self._rows.get(job, 0)

    @property
    def superseded(self) -> set[int]:
        """Those of its jobs whose rows do not count."""
        return self._rows.keys() - self.live


class TableState:
    """The table after the entry `seq`, with the number of its rows. `files` are in the order in which they came."""

    def __init__(self, seq: int = 0, files: Iterable[VisibleFile] = ()) -> None:
        self.seq = seq
        self.rows = 0
        self.files = {visible.file.name: visible for visible in files}
        self._holders: dict[int, set[str]] = {}
        for visible in self.files.values():
            self._note(visible)

    def apply(self, entry: Entry) -> None:
        """Move on by one entry: first what it removes, then what it adds. Raises VerificationFailed out of order.

        A job that it removes does not count in the files that it adds.
        """
        if entry.seq != self.seq + 1:
            raise VerificationFailed(f"log entry {entry.seq} of {entry.table} does not follow {self.seq}")
        self.seq = entry.seq
        for job in entry.removed_jobs:
            for name in self._holders.pop(job, ()):
                visible = self.files[name]
                visible.live.discard(job)
                self.rows -= visible.rows_of(job)
                if not visible.live:
                    del self.files[name]
        for name in entry.removed_files:
            self._drop(name)
        for file in entry.adds:
            self._drop(file.name)
            if live := {part.job for part in file.jobs}.difference(entry.removed_jobs):
                visible = VisibleFile(file, live)
                self.files[file.name] = visible
                self._note(visible)

    def snapshot(self, folder: Path) -> Snapshot:
        """What readers need. Raises VerificationFailed if a job's rows are removed in one visible file only."""
        removed: set[int] = set()
        rows = 0
        for visible in self.files.values():
            for part in visible.file.jobs:
                if part.job in visible.live:
                    rows += part.rows
                else:
                    removed.add(part.job)
        if both := removed & self._holders.keys():
            raise VerificationFailed(f"rows of job {min(both)} are both removed and visible", where=str(folder))
        return Snapshot(
            files=tuple(str(folder / name) for name in self.files),
            removed_jobs=tuple(sorted(removed)),
            jobs=self.live_jobs(),
            rows=rows,
            seq=self.seq,
        )

    def copy_of_files(self) -> list[VisibleFile]:
        """The files as they are now, whatever becomes of this table later."""
        return [VisibleFile(visible.file, set(visible.live)) for visible in self.files.values()]

    def holders_of(self, job: int) -> frozenset[str]:
        """The files in which rows of a job count."""
        return frozenset(self._holders.get(job, ()))

    def live_jobs(self) -> frozenset[int]:
        """The jobs whose rows count."""
        return frozenset(self._holders)

    def _note(self, visible: VisibleFile) -> None:
        for job in visible.live:
            self.rows += visible.rows_of(job)
            self._holders.setdefault(job, set()).add(visible.file.name)

    def _drop(self, name: str) -> None:
        if (visible := self.files.pop(name, None)) is None:
            return
        for job in visible.live:
            self.rows -= visible.rows_of(job)
            names = self._holders[job]
            names.discard(name)
            if not names:
                del self._holders[job]
