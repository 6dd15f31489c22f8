"""Outputs that nobody declares draft one table each, whatever comes first, and no more than there is room for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pyarrow as pa
import pytest
from sqlalchemy import select

from builders import NOW_NS, ROUTES, HomeBuilder
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Mode, Modes
from casparian_flow.core.errors import InvariantBroken, Refused
from casparian_flow.core.proposal_bodies import FirstContract, body_of
from casparian_flow.core.proposals import Risk
from casparian_flow.core.receipts import MOST_NEW_COLUMNS, DriftNote, Receipt
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.schema.survey import Survey
from casparian_flow.sentinel.commit.receipts import check_receipt
from casparian_flow.sentinel.governance import drafting
from casparian_flow.sentinel.governance.authority import Policy, Rule, check_policy
from casparian_flow.sentinel.governance.new_outputs import MOST_DRAFTS, TOO_MANY, TOO_WIDE
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.sinks.base import Attempt
from casparian_flow.store import tables
from casparian_flow.store.evidence import touch_losing
from casparian_flow.store.facts import facts_of_all

KNOWN = Contract("known", 1, (ContractColumn("n", "int64"),))
MANIFEST = Manifest(name="own", entry=EntryForm.PARSE, outputs={"known": KNOWN.columns})
EVOLVING = Policy(rule=Rule.EVOLVE, modes=Modes(new_output=Mode.EVOLVE))


def a_note(values: Sequence[object], table: str = "extra", *, source: str = "5", whole: bool = True) -> DriftNote:
    batch = pa.record_batch({"v": pa.array(values)})
    survey = Survey.of(batch, source=f"blake3:{source}").to_bytes() if whole else b""
    samples = tuple(sorted({str(each) for each in values})[:3])
    return DriftNote(
        table=table, axis=Axis.NEW_OUTPUT, column=table, detail="", rows=len(values), samples=samples, survey=survey
    )


def a_receipt(*notes: DriftNote) -> Receipt:
    return Receipt(counts=(), outputs=(), drift=notes, isolation="none", seconds=0.0, bytes_read=1)


class Past:
    """A home with one parser that declares a table, and as many jobs of it as there are files."""

    def __init__(self, folder: Path, files: int = 8, known: Contract = KNOWN, mode: Mode = Mode.PROPOSE) -> None:
        self.home = HomeBuilder(folder)
        self.in_force = {"known": known}
        source, parser = self.home.source(), self.home.parser("own", manifest=manifest_text(MANIFEST))
        self.jobs = []
        for at in range(files):
            location = self.home.location(source, f"{at}.txt")
            self.jobs.append(self.home.job(location, self.home.version(location, f"{at}".encode()), parser))
        self.home.contract(table="known", body=msgspec.json.encode(known).decode(), hash=known.hash)
        policy = msgspec.json.encode({"modes": {"new_output": mode}}).decode()
        self.home._add(tables.runs, plan_id=1, policy=policy, actor="dana", submitted_at_ns=NOW_NS)

    def close(self) -> None:
        self.home.close()

    def record(self, said: dict[int, Sequence[DriftNote]]) -> None:
        """One transaction in which these jobs, by their place, are recorded."""
        with self.home.database.transaction() as connection:
            facts = facts_of_all(connection, [self.jobs[at] for at in said])
            group = [(each, a_receipt(*of)) for each, of in zip(facts, said.values(), strict=True)]
            for each, receipt in group:
                text = msgspec.json.encode(receipt).decode()
                connection.execute(tables.jobs.update().where(tables.jobs.c.id == each.id).values(receipt=text))
            drafting.note(connection, group, self.in_force, self.in_force, NOW_NS)

    def end(self) -> None:
        with self.home.database.transaction() as connection:
            drafting.close(connection, 1, 0.5, NOW_NS)

    def read_again(self, places: Iterable[int]) -> None:
        """What jobs that read the same bytes later leave behind: nothing shows what these brought."""
        for at in places:
            self.home.rows(self.jobs[at], "extra", is_current=False)
        with self.home.database.transaction() as connection:
            touch_losing(connection, [self.jobs[at] for at in places], 1)

    def proposals(self):
        with self.home.database.transaction() as connection:
            return connection.execute(
                select(tables.proposals)
                .where(tables.proposals.c.kind == "contract", tables.proposals.c.state != "void")
                .order_by(tables.proposals.c.id)
            ).all()

    def told(self) -> tuple[object, ...]:
        """The one proposal, but for what depends on numbers."""
        (row,) = self.proposals()
        return row.state, row.body, row.survey, row.evidence_rows, row.evidence_files, row.risk, row.empirical


@pytest.fixture
def past(tmp_path: Path):
    with closing(Past(tmp_path / "home")) as made:
        yield made


def columns_of(body: str) -> list[tuple[str, str, str]]:
    asked = body_of(body)
    assert isinstance(asked, FirstContract) and asked.contract.takes_undeclared == ("own",)
    return [(each.name, each.type, each.sensitivity) for each in asked.contract.columns]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_files_and_transactions_changes_nothing_of_a_draft(tmp_path: Path, seed: int) -> None:
    notes = {at: [a_note(values, source=str(at))] for at, values in enumerate((["1"], ["2.5"], ["x", "y"], ["3"]))}
    order = list(notes)
    Random(seed).shuffle(order)
    with closing(Past(tmp_path / "a")) as first, closing(Past(tmp_path / "b")) as other:
        first.record(notes)
        first.end()
        for at in order:
            other.record({at: notes[at]})
        other.end()
        assert first.told() == other.told()
        state, body, _, rows, files, risk, _ = first.told()
        assert (state, rows, files, risk) == ("proposed", 5, 4, "additive")
        assert columns_of(body) == [("v", "string", "internal")]


def test_more_files_of_the_same_are_added_and_many_more_begin_anew(past: Past) -> None:
    past.record({at: [a_note([1, 2], source=str(at))] for at in range(4)})
    past.end()
    (first,) = past.proposals()
    past.record({4: [a_note([3], source="4")]})
    past.end()
    (same,) = past.proposals()
    assert (same.id, same.digest, same.evidence_rows) == (first.id, first.digest, 9)
    past.record({at: [a_note(["x"] * 9, source=str(at))] for at in (5, 6, 7)})
    past.end()
    (heir,) = past.proposals()
    assert heir.id != first.id and heir.state == "proposed"
    assert columns_of(heir.body) == [("v", "string", "internal")]


def test_what_was_not_surveyed_whole_stays_a_draft_until_it_is_gone(past: Past) -> None:
    past.record({0: [a_note([1], source="0")], 1: [a_note([1, 2], whole=False)]})
    past.end()
    past.record({2: [a_note([3], source="2")]})
    past.end()
    (draft,) = past.proposals()
    assert (draft.state, draft.reason, columns_of(draft.body)) == ("draft", TOO_WIDE, [])
    past.read_again([1])
    past.end()
    (proposed,) = past.proposals()
    assert (proposed.id, proposed.state, columns_of(proposed.body)) == (
        draft.id,
        "proposed",
        [("v", "int64", "internal")],
    )
    past.read_again([0, 2])
    past.end()
    assert past.proposals() == []


def test_files_that_are_wide_together_are_too_wide_whatever_comes_first(past: Past) -> None:
    half = MOST_NEW_COLUMNS // 2 + 1
    for at in range(2):
        batch = pa.record_batch({f"c{at}_{each}": [1] for each in range(half)})
        survey = Survey.of(batch, source=f"blake3:{at}").to_bytes()
        note = DriftNote(table="extra", axis=Axis.NEW_OUTPUT, column="extra", detail="", rows=1, survey=survey)
        past.record({at: [note]})
    past.end()
    assert [(row.state, row.reason) for row in past.proposals()] == [("draft", TOO_WIDE)]


def test_a_parser_with_a_thousand_outputs_gets_few_drafts_and_one_for_all_others(past: Past) -> None:
    past.record({0: [a_note([at], f"t_{at}") for at in range(MOST_DRAFTS + 30)]})
    past.record({1: [a_note([at], f"u_{at}") for at in range(30)]})
    past.end()
    rows = past.proposals()
    assert [row.state for row in rows].count("proposed") == MOST_DRAFTS
    (other,) = [row for row in rows if row.state == "draft"]
    assert (other.table_name, other.reason, other.evidence_rows) == (None, f"own: {TOO_MANY}", 60)


@pytest.mark.parametrize("mode", [Mode.QUARANTINE_ROW, Mode.FREEZE])
def test_modes_that_do_not_draft_draft_nothing(tmp_path: Path, mode: Mode) -> None:
    with closing(Past(tmp_path / "home", mode=mode)) as past:
        past.record({0: [a_note([1])]})
        past.end()
        assert past.proposals() == []


@pytest.mark.parametrize("sensitivity", ["personal", "secret"])
def test_beside_closed_columns_every_new_one_is_closed_and_no_policy_lets_it_in(
    tmp_path: Path, sensitivity: str
) -> None:
    known = Contract("known", 1, (ContractColumn("n", "int64", sensitivity=sensitivity),))
    with closing(Past(tmp_path / "home", known=known)) as past:
        past.record({0: [a_note(["x"])]})
        past.end()
        (row,) = past.proposals()
        assert (row.risk, columns_of(row.body)) == ("restrictive", [("v", "string", sensitivity)])
        with pytest.raises(Refused):
            check_policy(EVOLVING, "contract", row.id, Risk(row.risk), body_of(row.body))


def test_only_the_mode_evolve_lets_a_policy_adopt_a_drafted_table(past: Past) -> None:
    past.record({0: [a_note([1])]})
    past.end()
    (row,) = past.proposals()
    check_policy(EVOLVING, "contract", row.id, Risk.ADDITIVE, body_of(row.body))
    with pytest.raises(Refused):
        check_policy(Policy(rule=Rule.EVOLVE), "contract", row.id, Risk.ADDITIVE, body_of(row.body))


def test_a_file_that_was_ordered_before_its_table_came_into_force_is_read_again(past: Past) -> None:
    past.in_force["extra"] = Contract("extra", 1, (ContractColumn("v", "int64"),), takes_undeclared=("own",))
    entry = past.home.quarantine(
        past.jobs[0], table_name="extra", code="cf.output.undeclared", column_name="", shape=""
    )
    past.record({0: [a_note([1])]})
    with past.home.database.transaction() as connection:
        state = select(tables.quarantine.c.state).where(tables.quarantine.c.id == entry)
        assert connection.execute(state).scalar() == "fix_ready"
    past.end()
    assert past.proposals() == []


def test_a_receipt_may_not_tell_of_rows_that_it_does_not_count() -> None:
    lying = replace(a_note([1, 2]), rows=3)
    with pytest.raises(InvariantBroken):
        check_receipt(a_receipt(lying), Attempt(job=1, attempt=1), ROUTES)
