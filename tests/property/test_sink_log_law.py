"""The law of the log: whatever the entries and checkpoints are, readers see what a simple model says."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.outputs import Role
from casparian_flow.sinks.checkpoint import write_checkpoint
from casparian_flow.sinks.layout import TableFolder, table_folder
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRows, entry_bytes, parse_entry
from casparian_flow.sinks.resolve import resolve_state
from sink_builders import DIGEST


@dataclass
class Model:
    """Each file as its jobs' rows, and the jobs that are gone: what a reader of the README would write."""

    files: dict[str, dict[int, int]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)

    def rows(self) -> int:
        return sum(rows for jobs in self.files.values() for job, rows in jobs.items() if job not in self.gone)

    def visible(self) -> list[str]:
        return [name for name, jobs in self.files.items() if jobs.keys() - self.gone]

    def removed(self) -> list[int]:
        return sorted({job for name in self.visible() for job in self.files[name] if job in self.gone})


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Logs as a sentinel permits them: a job commits once; removing and compacting touch what is there."""
    model, entries, next_job = Model(), [], 1
    for seq in range(1, draw(st.integers(1, 14)) + 1):
        live = sorted({job for jobs in model.files.values() for job in jobs} - model.gone)
        gone = draw(st.lists(st.sampled_from(live), unique=True, max_size=3)) if live else []
        model.gone.update(gone)
        dropped: list[str] = []
        added: list[dict[int, int]] = []
        if model.visible() and draw(st.booleans()):  # compact some files into one
            dropped = draw(st.lists(st.sampled_from(model.visible()), unique=True, min_size=1))
            inside = {job for name in dropped for job in model.files[name]}
            kept = draw(st.sets(st.sampled_from(sorted(inside)))) & model.gone  # superseded rows may come along
            whole = inside - model.gone | kept
            held = {job for name, jobs in model.files.items() if name not in dropped for job in jobs}
            if whole & held or not whole - model.gone:
                dropped = []
            else:
                gone = sorted({*gone, *kept})
                added.append({job: sum(model.files[name].get(job, 0) for name in dropped) for job in sorted(whole)})
        for _ in range(draw(st.integers(0, 2))):
            jobs = draw(st.integers(1, 3))
            added.append({next_job + n: draw(st.integers(0, 5)) for n in range(jobs)})
            next_job += jobs
        names = [f"v1/t_{seq}.1.{part}.parquet" for part in range(len(added))]
        entries.append(
            Entry(
                table="t",
                role=Role.ACCEPTED,
                seq=seq,
                action=EntryAction.APPEND,
                contract_version=1,
                schema_hash=DIGEST,
                adds=tuple(
                    AddedFile(
                        name=name,
                        size=1,
                        digest=DIGEST,
                        rows=sum(jobs.values()),
                        jobs=tuple(JobRows(job=job, rows=rows) for job, rows in jobs.items()),
                    )
                    for name, jobs in zip(names, added, strict=True)
                ),
                removed_jobs=tuple(gone),
                removed_files=tuple(dropped),
            )
        )
        apply(model, entries[-1])
    return entries


def apply(model: Model, entry: Entry) -> None:
    model.gone.update(entry.removed_jobs)
    for name in entry.removed_files:
        model.files.pop(name, None)
    for file in entry.adds:
        model.files[file.name] = {part.job: part.rows for part in file.jobs}


def answer(folder: TableFolder, as_of: int | None = None) -> tuple[list[str], list[int], int, int]:
    found = resolve_state(folder, Role.ACCEPTED, as_of).snapshot(folder.path)
    names = [str(Path(name).relative_to(folder.path)) for name in found.files]
    return names, list(found.removed_jobs), found.rows, found.seq


@settings(max_examples=60, deadline=None)
@given(data=st.data(), entries=histories())
def test_any_order_of_entries_and_checkpoints_shows_what_the_model_shows(
    data: st.DataObject, entries: list[Entry]
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        folder = table_folder(root, Role.ACCEPTED, "t")
        folder.log.mkdir(parents=True)
        arrived: set[int] = set()
        for entry in data.draw(st.permutations(entries)):
            folder.entry(entry.seq).write_bytes(entry_bytes(entry))
            arrived.add(entry.seq)
            reached = next(seq for seq in range(len(entries) + 1) if seq + 1 not in arrived)
            model = Model()
            for known in entries[:reached]:
                apply(model, known)
            assert answer(folder) == (model.visible(), model.removed(), model.rows(), reached)
            if reached and data.draw(st.booleans()):
                write_checkpoint(folder, Role.ACCEPTED, resolve_state(folder, Role.ACCEPTED))
        answers = [answer(folder, as_of) for as_of in range(len(entries) + 1)]
        for path in folder.checkpoints.glob("*.json"):
            action = data.draw(st.sampled_from(["keep", "cut", "alter", "remove"]))
            whole = path.read_bytes()
            if action == "cut":
                path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
            elif action == "alter":
                at = data.draw(st.integers(0, len(whole) - 1))
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            elif action == "remove":
                path.unlink()
        assert [answer(folder, as_of) for as_of in range(len(entries) + 1)] == answers
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
        assert [answer(folder, as_of) for as_of in range(len(entries) + 1)] == answers
    finally:
        shutil.rmtree(root)


@settings(max_examples=60, deadline=None)
@given(entries=histories())
def test_an_entry_has_one_encoding_and_comes_back_from_it(entries: list[Entry]) -> None:
    for entry in entries:
        data = entry_bytes(entry)
        assert parse_entry(data, "here") == entry
        assert entry_bytes(parse_entry(data, "here")) == data
