"""Which small files of a table are worth being one, and the entry that puts the new file in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from casparian_flow.core.errors import PlanStale
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.layout import version_of
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction
from casparian_flow.sinks.state import TableState, VisibleFile

SMALL_BYTES = 32 << 20
"""A smaller file is merged with its neighbours. Larger ones stay, so that no row is written anew again and again."""
FULL_BYTES = 256 << 20
"""No more than this is put into one new file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Files of one contract version that follow each other, as they were when they were chosen."""

    role: Role
    version: int
    files: tuple[VisibleFile, ...]

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(visible.file.size for visible in self.files)

    @property
    def rows(self) -> int:
        """Rows of theirs that count."""
        return sum(visible.rows_of(job) for visible in self.files for job in visible.live)

    @property
    def superseded(self) -> int:
        """Rows that stay behind."""
        return sum(visible.file.rows for visible in self.files) - self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A merge that has been carried out: the new files hold what counted of the old ones, in their order."""

    merge: Merge
    files: tuple[AddedFile, ...]


def merges_of(role: Role, state: TableState) -> list[Merge]:
    """What is worth merging: neighbours, so that the order of the rows stays as it is. `state` may move on later."""
    found = []
    for (version, is_small), files in groupby(state.files.values(), _kind):
        for some in _portions(files) if is_small else ():
            if len(some) > 1:
                copies = tuple(VisibleFile(visible.file, set(visible.live)) for visible in some)
                found.append(Merge(role=role, version=version, files=copies))
    return found


def entry_for(
    table: str, role: Role, state: TableState, merged: Sequence[Merged], schema_hashes: Mapping[int, str]
) -> Entry | None:
    """The entry after which a log shows the same rows in the same order, from the new files. None if none are left.

    Rows that were superseded since the merge was planned stay so. Raises PlanStale if the old files show rows again
    that were left behind, or are not together any more.
    """
    live = state.live_jobs()
    places = {name: at for at, name in enumerate(state.files)}
    instead: dict[int, Merged] = {}
    old: set[str] = set()
    for each in merged:
        there = [visible.file.name for visible in each.merge.files if visible.file.name in places]
        held = [places[name] for name in there]
        if _has_moved(state, each.merge, live) or held != [held[0] + n for n in range(len(held))]:
            raise PlanStale(
                f"{table} changed while its files were merged",
                why="a commit was undone, or another one merged the same files",
                fix=f"casparian output compact {table}",
            )
        if there:
            instead[held[0]] = each
            old.update(there)
    if not instead:
        return None
    adds: list[AddedFile] = []
    superseded: set[int] = set()
    for at, visible in list(enumerate(state.files.values()))[min(instead) :]:  # who follows must stay behind
        if at in instead:
            new = [file for file in instead[at].files if any(part.job in live for part in file.jobs)]
            adds += new
            superseded.update(part.job for file in new for part in file.jobs if part.job not in live)
        elif visible.file.name not in old:
            adds.append(visible.file)
            superseded |= visible.superseded
    version = max(each.merge.version for each in instead.values())
    return Entry(
        table=table,
        role=role,
        seq=state.seq + 1,
        action=EntryAction.RETIRE,
        contract_version=version,
        schema_hash=schema_hashes[version],
        adds=tuple(adds),
        removed_jobs=tuple(sorted(superseded)),
        removed_files=tuple(sorted(old)),
    )


def _kind(visible: VisibleFile) -> tuple[int, bool]:
    return version_of(visible.file.name), visible.file.size < SMALL_BYTES


def _portions(files: Iterator[VisibleFile]) -> Iterator[list[VisibleFile]]:
    """The files in their order, in portions that fit into one new file."""
    portion: list[VisibleFile] = []
    size = 0
    for visible in files:
        if portion and size + visible.file.size > FULL_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(visible)
        size += visible.file.size
    if portion:
        yield portion


def _has_moved(state: TableState, merge: Merge, live: frozenset[int]) -> bool:
    """Whether rows count again that were left behind, or count from elsewhere now."""
    for visible in merge.files:
        now = state.files.get(visible.file.name)
        counting = now.live if now is not None else set()
        if counting - visible.live or (visible.live - counting) & live:
            return True
    return False
