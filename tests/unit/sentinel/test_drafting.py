"""Drift drafts one change for each contract and cause, whatever comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from builders import NOW_NS, ROUTES, HomeBuilder
from casparian_flow.core.amendments import Add, Narrow, Op, Relax, Widen
from casparian_flow.core.contract_text import to_json
from casparian_flow.core.contracts import Contract, ContractColumn, ContractState
from casparian_flow.core.drift import Axis, Mode, Modes
from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.proofs import Verdicts
from casparian_flow.core.proposal_bodies import Amendment, body_of
from casparian_flow.core.proposals import Risk
from casparian_flow.core.receipts import DriftNote, Receipt
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.schema.survey import Survey
from casparian_flow.sentinel.commit.receipts import check_receipt
from casparian_flow.sentinel.governance import drafting
from casparian_flow.sinks.base import Attempt
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import tables
from casparian_flow.store.evidence import evidence_of, touch_losing
from casparian_flow.store.facts import facts_of_all

BASE = Contract(
    "sales",
    1,
    (ContractColumn("id", "int64", nullable=False), ContractColumn("amount", "decimal(9,2)")),
    rules=(Rule("low", RuleKind.RANGE, ("id",), low="0"),),
)
PROVEN = proposal_store.Proof(risk=Risk.ADDITIVE, verdicts=Verdicts(reads_old=True, keeps_readers=True))


def a_note(axis: Axis, column: str, values: Sequence[str], rows: int = 0, detail: str = "") -> DriftNote:
    batch = pa.RecordBatch.from_arrays([pa.array(values, pa.string())], names=[column])
    survey = Survey.of(batch, source="blake3:5").to_bytes() if values else b""
    samples = tuple(sorted(set(values))[:3])
    return DriftNote(
        table="sales", axis=axis, column=column, detail=detail, rows=rows or len(values), samples=samples, survey=survey
    )


def a_receipt(*notes: DriftNote) -> Receipt:
    return Receipt(counts=(), outputs=(), drift=notes, isolation="none", seconds=0.0, bytes_read=1)


class Past:
    """A home with a table and as many jobs as there are files."""

    def __init__(self, folder: Path, files: int, modes: Modes | None = None) -> None:
        self.home = HomeBuilder(folder)
        source, parser = self.home.source(), self.home.parser()
        self.jobs = []
        for at in range(files):
            location = self.home.location(source, f"{at}.csv")
            version = self.home.version(location, f"{at}".encode())
            self.jobs.append(self.home.job(location, version, parser))
        self.home.contract(body=to_json(BASE), hash=BASE.hash)
        if modes is not None:
            policy = f'{{"modes":{{"new_column":"{modes.new_column}","missing_column":"{modes.missing_column}"}}}}'
            self.home._add(tables.runs, plan_id=1, policy=policy, actor="dana", submitted_at_ns=NOW_NS)

    def close(self) -> None:
        self.home.close()

    def record(self, notes: Iterable[tuple[int, Sequence[DriftNote]]]) -> None:
        """One transaction in which these jobs, by their place, are recorded."""
        said = dict(notes)
        with self.home.database.transaction() as connection:
            facts = facts_of_all(connection, [self.jobs[at] for at in said])
            group = [(each, a_receipt(*of)) for each, of in zip(facts, said.values(), strict=True)]
            for each, receipt in group:
                text = msgspec.json.encode(receipt).decode()
                connection.execute(tables.jobs.update().where(tables.jobs.c.id == each.id).values(receipt=text))
            drafting.note(connection, group, {"sales": BASE}, {"sales": BASE}, NOW_NS)

    def end(self, margin: float = 0.5) -> None:
        with self.home.database.transaction() as connection:
            drafting.close(connection, 1, margin, NOW_NS)

    def read_again(self, places: Iterable[int], plan: int = 1) -> None:
        """What jobs that read the same bytes later leave behind: nothing shows what these brought."""
        gone = [self.jobs[at] for at in places]
        for job in gone:
            self.home.rows(job, is_current=False)
        with self.home.database.transaction() as connection:
            touch_losing(connection, gone, plan)

    def drafts(self) -> dict[str, tuple[object, ...]]:
        """Everything about every living proposal that does not depend on numbers."""
        with self.home.database.transaction() as connection:
            return {row.signature: self._told(connection, row.id) for row in self._living(connection)}

    def operations(self) -> set[Op]:
        with self.home.database.transaction() as connection:
            return {each for row in self._living(connection) for each in _operations(row.body)}

    def states(self) -> list[str]:
        with self.home.database.transaction() as connection:
            found = connection.execute(select(tables.proposals.c.state).order_by(tables.proposals.c.id))
            return list(found.scalars())

    def propose(self) -> None:
        with self.home.database.transaction() as connection:
            for row in self._living(connection):
                proposal_store.propose(connection, row.id, PROVEN, NOW_NS)

    def _living(self, connection: Connection):
        return proposal_store.living_of_table(connection, "sales")

    def _told(self, connection: Connection, number: int) -> tuple[object, ...]:
        row = proposal_store.one(connection, number)
        said = {(each.source_hash, each.rows, each.samples) for each in evidence_of(connection, number)}
        return row.body, row.survey, row.evidence_rows, row.evidence_files, row.verdicts, row.risk, frozenset(said)


def _operations(body: str) -> tuple[Op, ...]:
    asked = body_of(body)
    assert isinstance(asked, Amendment)
    return asked.operations


@pytest.fixture
def past(tmp_path: Path):
    with closing(Past(tmp_path / "home", 8)) as made:
        yield made


def test_each_axis_asks_for_its_own_change_and_says_what_follows(past: Past) -> None:
    past.record(
        [
            (
                0,
                [
                    a_note(Axis.NEW_COLUMN, "zone", ["UTC", "Z"]),
                    a_note(Axis.TYPE, "id", ["1.25"]),
                    a_note(Axis.NULLABILITY, "id", [], rows=4),
                    a_note(Axis.RULE, "id", ["-4"], detail="low"),
                    a_note(Axis.TYPE, "amount", ["1e40"]),
                ],
            )
        ]
    )
    past.end()
    assert past.operations() == {
        Add(column=ContractColumn("zone", "string")),
        Widen(column="id", type="decimal(21,2)"),
        Relax(column="id"),
        Relax(rule="low"),
        Narrow(column="amount", type="float64"),
    }
    risks = sorted(str(told[5]) for told in past.drafts().values())
    assert risks == ["additive", "lossless", "lossless", "lossless", "restrictive"]


def test_a_second_file_adds_to_the_draft_and_can_change_what_it_asks_for(past: Past) -> None:
    past.record([(0, [a_note(Axis.NEW_COLUMN, "n", ["1", "2"])])])
    past.end()
    assert past.operations() == {Add(column=ContractColumn("n", "int64"))}
    past.record([(1, [a_note(Axis.NEW_COLUMN, "n", ["x"])])])
    past.end()
    [told] = past.drafts().values()
    assert (told[2], told[3]) == (3, 2)
    assert [each.column.type for each in past.operations() if isinstance(each, Add)] == ["string"]


def test_modes_that_draft_nothing_draft_nothing(tmp_path: Path) -> None:
    modes = Modes(new_column=Mode.RESCUE_VALUE, missing_column=Mode.PROPOSE)
    with closing(Past(tmp_path / "home", 1, modes)) as past:
        missing = a_note(Axis.MISSING_COLUMN, "amount", [], rows=2)
        past.record([(0, [a_note(Axis.NEW_COLUMN, "zone", ["Z"]), missing])])
        past.end()
        assert past.drafts() == {}, "one has its mode, the other may be null already"


def test_evidence_beyond_the_margin_voids_what_was_proposed_and_drafts_it_anew(past: Past) -> None:
    past.record([(0, [a_note(Axis.NEW_COLUMN, "zone", ["Z"] * 4)])])
    past.end()
    past.propose()
    past.record([(1, [a_note(Axis.NEW_COLUMN, "zone", ["Z"] * 2)])])
    past.end(margin=1.0)
    assert past.states() == ["proposed"], "2 files are not more than twice 1"
    past.record([(2, [a_note(Axis.NEW_COLUMN, "zone", ["Z"])])])
    past.end(margin=1.0)
    assert past.states() == ["void", "draft"]
    [told] = past.drafts().values()
    assert (told[2], told[3]) == (7, 3), "its heir has all of it"
    with past.home.database.transaction() as connection:
        why = proposal_store.one(connection, 1).void_reason
    assert why == f"{drafting.OUTGROWN}; A-2 takes its place"


def test_a_base_that_moved_voids_a_draft_and_begins_it_anew_if_it_still_asks_for_something(past: Past) -> None:
    past.record([(0, [a_note(Axis.NEW_COLUMN, "zone", ["Z"]), a_note(Axis.NEW_COLUMN, "kind", ["k"])])])
    after = Contract("sales", 2, (*BASE.columns, ContractColumn("zone", "string")), rules=BASE.rules)
    with past.home.database.transaction() as connection:
        connection.execute(tables.contracts.update().values(state=ContractState.SUPERSEDED))
    past.home.contract(version=2, body=to_json(after), hash=after.hash)
    past.end()
    assert sorted(past.states()) == ["draft", "void", "void"]
    assert past.operations() == {Add(column=ContractColumn("kind", "string"))}


def test_a_draft_that_no_file_asks_for_any_more_is_void_and_says_why(past: Past) -> None:
    past.record([(0, [a_note(Axis.TYPE, "amount", ["n.a."])]), (1, [a_note(Axis.TYPE, "amount", ["12.5O"])])])
    past.end()
    past.read_again([0])
    past.end()
    assert past.states() == ["draft"]
    past.read_again([1], plan=drafting.NO_RUN)
    past.end()
    assert past.states() == ["void"]
    with past.home.database.transaction() as connection:
        assert connection.execute(select(tables.proposals.c.void_reason)).scalar() == drafting.READ_AGAIN


def test_what_was_proposed_keeps_what_is_signed_and_is_void_once_nothing_of_it_is_left(past: Past) -> None:
    past.record([(at, [a_note(Axis.NEW_COLUMN, "zone", ["Z"])]) for at in range(2)])
    past.end()
    past.propose()
    past.read_again([0])
    past.end()
    [told] = past.drafts().values()
    assert (past.states(), told[3], len(told[6])) == (["proposed"], 2, 2), "the digest is about both"
    past.read_again([1])
    past.end()
    assert past.states() == ["void"]
    with past.home.database.transaction() as connection:
        assert len(evidence_of(connection, 1)) == 2


def test_a_table_has_so_many_drafts_at_most_and_one_for_all_others(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "MOST_DRAFTS", 3)
    past.record([(0, [a_note(Axis.NEW_COLUMN, f"c{at}", ["x"]) for at in range(9)])])
    past.end()
    bodies = [_operations(str(told[0])) for told in past.drafts().values()]
    assert sorted(map(len, bodies)) == [0, 1, 1, 1]
    past.record([(1, [a_note(Axis.NEW_COLUMN, "c8", ["x"])])])
    past.end()
    assert len(past.drafts()) == 4


def test_beyond_the_most_the_largest_causes_are_drafted_and_all_others_are_counted_once(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafting, "MOST_DRAFTS", 3)
    past.record([(file, [a_note(Axis.NEW_COLUMN, f"c{at}", ["x"], at + 1) for at in range(9)]) for file in (0, 1)])
    past.end()
    told = {tuple(each.column.name for each in _operations(str(body))): of for body, *of in past.drafts().values()}
    assert told.keys() == {("c6",), ("c7",), ("c8",), ()}
    assert told["c8",][1:3] == [2 * 9, 2]
    assert told[()][1:3] == [2 * sum(range(1, 7)), 2]


WRONG = st.lists(st.sampled_from(["2.555", "x", "NA", "1e99", "2024-01-31"]), min_size=1, max_size=3)
NOTES = st.lists(
    st.builds(
        a_note,
        st.sampled_from([Axis.NEW_COLUMN, Axis.TYPE]),
        st.sampled_from(["id", "amount"]),
        WRONG,
    )
    | st.builds(a_note, st.just(Axis.NEW_COLUMN), st.just("zone"), WRONG),
    max_size=3,
    unique_by=lambda note: (note.axis, note.column),
)


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(NOTES, min_size=3, max_size=5), st.integers(0, 999))
def test_the_order_of_jobs_and_how_they_are_grouped_never_change_a_draft(
    notes: list[list[DriftNote]], seed: int
) -> None:
    told = []
    random = Random(seed)
    for _ in range(2):
        order = random.sample(range(len(notes)), len(notes))
        with TemporaryDirectory() as folder, closing(Past(Path(folder, "home"), len(notes))) as past:
            while order:
                size = random.randint(1, 3)
                past.record((at, notes[at]) for at in order[:size])
                order = order[size:]
                if random.random() < 0.3:
                    past.end()
            past.end()
            told.append(past.drafts())
    assert told[0] == told[1]


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(NOTES, min_size=3, max_size=5), st.integers(0, 999))
def test_what_was_read_again_leaves_the_drafts_that_the_other_files_alone_ask_for(
    notes: list[list[DriftNote]], seed: int
) -> None:
    random = Random(seed)
    gone = random.sample(range(len(notes)), random.randint(1, len(notes) - 1))
    told = []
    for order in (random.sample(range(len(notes)), len(notes)), sorted(set(range(len(notes))) - set(gone))):
        with TemporaryDirectory() as folder, closing(Past(Path(folder, "home"), len(notes))) as past:
            seen: list[int] = []
            for at in order:
                past.record([(at, notes[at])])
                seen.append(at)
                if random.random() < 0.4:
                    past.end()
                    past.read_again(set(seen) & set(gone))
                    seen.clear()
                    past.end()
            past.read_again(set(seen) & set(gone))
            past.end()
            told.append(past.drafts())
    assert told[0] == told[1]


def test_what_one_more_job_costs_does_not_grow_with_the_jobs_before(past: Past) -> None:
    asked: list[str] = []
    past.home.database.driver.set_trace_callback(asked.append)
    counts = []
    for at in range(8):
        asked.clear()
        past.record([(at, [a_note(Axis.NEW_COLUMN, "zone", ["UTC"])])])
        counts.append(len(asked))
        assert not any("sum(" in text or "cf_proposal_evidence.proposal_id =" in text for text in asked), asked
    past.home.database.driver.set_trace_callback(None)
    assert len(set(counts[1:])) == 1 and counts[1] < 10, counts
    past.end()
    [told] = past.drafts().values()
    assert (told[2], told[3]) == (8, 8)


@pytest.mark.parametrize(
    "note",
    [
        DriftNote(table="sales", axis="mood", column="a", detail="", rows=1),
        DriftNote(table="sales", axis="type", column="a", detail="", rows=1, survey=b"\xc1"),
        replace(a_note(Axis.TYPE, "b", ["x"]), column="a"),
    ],
)
def test_a_worker_that_says_what_cannot_be_is_not_believed(note: DriftNote) -> None:
    with pytest.raises(InvariantBroken):
        check_receipt(a_receipt(note), Attempt(job=1, attempt=1), ROUTES)
