"""The law of the databases: in whatever order entries arrive, readers see what a simple model says."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.errors import NotFound
from casparian_flow.core.outputs import PermittedEntry, Role, SealedOutput
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, permitted, sealed


@dataclass(frozen=True)
class Step:
    """One entry: a new job, or an old one that comes back, and the jobs that go."""

    job: int
    removed: tuple[int, ...]
    comes_back: bool


@dataclass
class Model:
    """The jobs that count, in the order in which they came."""

    jobs: list[int] = field(default_factory=list)

    def apply(self, step: Step) -> None:
        self.jobs = [job for job in self.jobs if job not in (*step.removed, step.job)] + [step.job]


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    model, known, steps = Model(), [], []
    for job in range(1, draw(st.integers(1, 7)) + 1):
        gone = [each for each in known if each not in model.jobs]
        removed = draw(st.lists(st.sampled_from(model.jobs), unique=True, max_size=2)) if model.jobs else []
        comes_back = bool(gone) and draw(st.booleans())
        step = Step(draw(st.sampled_from(gone)) if comes_back else job, tuple(removed), comes_back)
        known += [] if comes_back else [job]
        model.apply(step)
        steps.append(step)
    return steps


def entries_of(sink: Sink, steps: list[Step]) -> list[PermittedEntry]:
    outputs: dict[int, SealedOutput] = {}
    entries = []
    for seq, step in enumerate(steps, 1):
        if not step.comes_back:
            outputs[step.job] = sealed(sink, step.job, [a_batch([step.job, -step.job])])
        entries.append(permitted(outputs[step.job], seq, step.job, removed_jobs=step.removed))
    return entries


def numbers(sink: Sink, as_of: int | None = None) -> list[int]:
    return sink.read("events", Role.ACCEPTED, as_of, ["n"]).read_all().column("n").to_pylist()


def check(scheme: str, steps: list[Step], order: list[int], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sink = open_sink(f"{scheme}://{folder}/out.db")
        entries = entries_of(sink, steps)
        arrived: set[int] = set()
        for start in range(0, len(order), size):
            some = order[start : start + size]
            sink.promote([entries[at] for at in some])
            sink.promote([entries[some[0]]])
            arrived.update(some)
            reached = next(at for at in range(len(steps) + 1) if at not in arrived)
            assert sink.snapshot("events", Role.ACCEPTED).seq == reached
        model = Model()
        for seq, step in enumerate(steps, 1):
            model.apply(step)
            expected = [n for job in model.jobs for n in (job, -job)]
            assert numbers(sink, seq) == expected
            assert sink.snapshot("events", Role.ACCEPTED, seq).rows == len(expected)
        assert numbers(sink) == expected
        with pytest.raises(NotFound):
            sink.snapshot("events", Role.ACCEPTED, len(steps) + 1)
        assert [path.name for path in Path(folder).iterdir()] == ["out.db"]


@settings(max_examples=25, deadline=None)
@given(data=st.data(), steps=histories(), size=st.integers(1, 3))
def test_any_order_of_entries_ends_in_the_same_rows_and_past_in_sqlite(
    data: st.DataObject, steps: list[Step], size: int
) -> None:
    check("sqlite", steps, data.draw(st.permutations(range(len(steps)))), size)


@settings(max_examples=4, deadline=None)
@given(data=st.data(), steps=histories(), size=st.integers(2, 3))
def test_any_order_of_entries_ends_in_the_same_rows_and_past_in_duckdb(
    data: st.DataObject, steps: list[Step], size: int
) -> None:
    check("duckdb", steps, data.draw(st.permutations(range(len(steps)))), size)
