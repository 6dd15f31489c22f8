"""Files that are gone: their rows stay, leave their tables, or are erased for good once a person has agreed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.disks import Disks

from casparian_flow.core.errors import Erased, ProposalVoid, SinkUnavailable, UsageError
from casparian_flow.core.outputs import Role, SinkMode
from casparian_flow.core.proposals import Decision, Kind, State
from casparian_flow.core.signing import Statement, key_id, new_private_key, public_half, sign
from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.operations.approval.proposals import ApproveProposal, Decided, ErasedRows
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.approval.deciding import approve as do_approve
from casparian_flow.operations.doing.approval.proposal_view import detail
from casparian_flow.operations.doing.home.status import status
from casparian_flow.operations.doing.output.history import history
from casparian_flow.operations.doing.output.revert import revert
from casparian_flow.operations.doing.quarantine.repairs import list_ as list_repairs
from casparian_flow.operations.doing.quarantine.repairs import repair
from casparian_flow.operations.doing.query.sql import ask
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.doing.run.plan import make
from casparian_flow.operations.doing.run.run import run
from casparian_flow.operations.doing.source.sources import list_ as list_sources
from casparian_flow.operations.doing.source.sources import policy
from casparian_flow.operations.home.status import AskStatus
from casparian_flow.operations.output.history import HistoryEntry, ShowHistory
from casparian_flow.operations.output.revert import RevertOutput
from casparian_flow.operations.quarantine.repairs import ListRepairs, RepairRow
from casparian_flow.operations.query.sql import AskSql
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.reply import RetiredRows
from casparian_flow.operations.run.run import RunFiles, RunReply
from casparian_flow.operations.source.sources import ListSources, SetSourcePolicy
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.keys import enrol
from casparian_flow.store.meta import home_id
from casparian_flow.store.versions import mark_dirty
from casparian_flow.store.views.proposals import list_proposals
from casparian_flow.wiring import open_acting


@dataclass
class Case:
    """A folder of files, its home, and what a person does with them, all in this process."""

    home: Home
    data: Path
    sinks: tuple[str, ...] = ()

    def write(self, name: str, *lines: str) -> None:
        (self.data / name).write_text("\n".join(("id,amount,who", *lines)) + "\n")

    def act(self, function: Callable[[Acting], Any]) -> Any:
        with open_acting(self.home, Settings(), self.data, lambda _event, _values: None) as acting:
            return function(acting)

    def run(self, *, force: bool = False, mode: SinkMode = SinkMode.APPEND) -> RunReply:
        selection = MakePlan(paths=(str(self.data),), sinks=self.sinks, force=force, mode=mode)
        return self.act(lambda acting: run(acting, RunFiles(selection=selection)))

    def run_known(self) -> RunReply:
        """Of all known sources, also where their folder is away."""
        with open_acting(self.home, Settings(), self.data.parent, lambda _event, _values: None) as acting:
            return run(acting, RunFiles(selection=MakePlan(sinks=self.sinks)))

    def policy(self, when_missing: WhenMissing, *, even_if_empty: bool = False) -> None:
        asked = SetSourcePolicy(source=str(self.data), when_missing=when_missing, even_if_empty=even_if_empty)
        assert self.act(lambda acting: policy(acting, asked)).when_missing is when_missing

    def read(self, function: Callable[..., Any], request: Any) -> Any:
        with open_reading(self.home, Settings(), self.data) as reading:
            return function(reading, request)

    def history(self, sink: str | None = None) -> list[HistoryEntry]:
        return self.read(history, ShowHistory(table="sales", sink=sink)).commits

    def ids(self, sink: str | None = None, role: Role = Role.ACCEPTED) -> list[int]:
        rows = open_sink(sink or self.home.default_sink).read("sales", role).read_all()
        return sorted(rows["id" if role is Role.ACCEPTED else "_cf_source_row"].to_pylist()) if len(rows) else []

    def asked(self, statement: str) -> list[dict[str, Any]]:
        with open_reading(self.home, Settings(), self.data) as reading:
            return [dict(row) for row in reading.connection.execute(text(statement)).mappings()]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Two files, one of which is going to go; a row of it is in quarantine."""
    data = tmp_path / "data"
    data.mkdir()
    case = Case(Home(tmp_path / "home"), data)
    case.write("sales_1.csv", "1,1.5,ann", "2,2.5,bob")
    case.write("sales_2.csv", "3,3.5,cid", "4,4.5,dan,5")
    case.run()
    return case


def test_rows_of_a_file_that_is_gone_stay_unless_its_source_retires_them(case: Case) -> None:
    assert case.read(list_sources, ListSources()).sources[0].when_missing is WhenMissing.KEEP
    (case.data / "sales_2.csv").unlink()
    case.run()
    assert (case.ids(), case.ids(role=Role.QUARANTINE)) == ([1, 2, 3], [2])
    case.policy(WhenMissing.RETIRE)
    reply = case.run()
    assert reply.retired == [RetiredRows(table="sales", rows=1, quarantined=1, files=1)]
    assert reply.next == "casparian output history sales"
    assert (case.ids(), case.ids(role=Role.QUARANTINE)) == ([1, 2], [])
    newest = case.history()[0]
    assert (newest.action, newest.removed, newest.quarantine_removed, newest.jobs) == ("retire", 1, 1, [])
    [stone] = case.asked("SELECT * FROM cf_tombstones")
    assert (stone["table_name"], stone["rows"], stone["action"], stone["actor"]) == ("sales", 2, "retired", "policy")
    assert json.loads(stone["receipt"])["path"] == "sales_2.csv"
    again = case.run()
    assert (again.run, again.retired) == (0, []) and len(case.history()) == len(case.history())  # once is enough
    assert len(case.asked("SELECT * FROM cf_tombstones")) == 1


def test_what_keeps_rows_that_a_policy_would_let_go_is_named_by_plan_and_run(case: Case) -> None:
    gone, other = case.data / "sales_2.csv", case.data / "sales_3.csv"
    case.act(lambda acting: run(acting, RunFiles(selection=MakePlan(paths=(str(gone),)))))
    other.write_bytes(gone.read_bytes())
    case.policy(WhenMissing.RETIRE)
    gone.unlink()

    def planned() -> tuple[str, int]:
        reply = case.act(lambda acting: make(acting, MakePlan(paths=(str(case.data),))))
        [detail] = [each.detail for each in reply.entries if each.path == "sales_2.csv"]
        return detail, reply.retire.rows

    stay = "not there any more; its rows stay: "
    assert planned() == (f"{stay}{other} holds the same bytes", 0)
    other.unlink()
    held = f"{gone} of source 2 held the same bytes"
    assert planned() == (f"{stay}{held} when that was looked at last: casparian run", 0)
    case.run_known()
    why = f"{held} and is gone, too, and its policy is keep"
    why += ": casparian source policy 2 retire --even-if-empty"
    assert planned() == (stay + why, 0)
    reply = case.run()
    assert (case.ids(), reply.retired) == ([1, 2, 3], [])
    assert f"sales_2.csv is gone and its rows stay: {why} (and 1 more files that are gone)" in reply.warnings
    asked = SetSourcePolicy(source="2", when_missing=WhenMissing.RETIRE, even_if_empty=True)
    case.act(lambda acting: policy(acting, asked))
    assert planned() == ("not there any more; its rows go out, as the policy of its source says", 1)
    assert (case.run().retired[0].rows, case.ids()) == (1, [1, 2])


@pytest.mark.slow
def test_retired_rows_come_back_with_their_file_or_by_a_revert(case: Case) -> None:
    case.policy(WhenMissing.RETIRE)
    kept = (case.data / "sales_2.csv").read_bytes()
    (case.data / "sales_2.csv").unlink()
    case.run()
    assert case.ids() == [1, 2]
    before = case.history()[1].snapshot
    case.act(lambda acting: revert(acting, RevertOutput(table="sales", snapshot=str(before))))
    assert case.ids() == [1, 2, 3]
    case.run()
    assert case.ids() == [1, 2, 3]  # a person wanted them: no policy takes them again
    (case.data / "sales_2.csv").write_bytes(kept)
    case.run()
    assert case.ids() == [1, 2, 3]


@pytest.mark.slow
def test_a_file_that_lives_on_under_another_name_or_elsewhere_is_not_gone(case: Case) -> None:
    case.policy(WhenMissing.RETIRE)
    (case.data / "sales_2.csv").rename(case.data / "sales_9.csv")
    case.run()
    assert case.ids() == [1, 2, 3]
    assert case.asked("SELECT * FROM cf_tombstones") == []


def unmount(case: Case) -> Path:
    """Leave an empty folder where the files were, as a disk does that went away; where they are now."""
    disk = case.data.with_name("disk")
    case.data.rename(disk)
    case.data.mkdir()
    return disk


def test_a_source_that_is_not_mounted_loses_no_row_and_reads_nothing_again(case: Case) -> None:
    case.policy(WhenMissing.RETIRE)
    commits = case.history()
    disk = unmount(case)
    (case.data / "NOT_MOUNTED").touch()
    reply = case.run()
    [emptied] = reply.emptied
    assert (emptied.root, emptied.policy, emptied.files) == (str(case.data), WhenMissing.RETIRE, 2)
    assert emptied.command == "casparian source policy 1 retire --even-if-empty"
    (case.data / "NOT_MOUNTED").unlink()
    case.run()  # it is not only the first run that waits
    assert (case.ids(), case.history()) == ([1, 2, 3], commits)
    case.data.rmdir()
    disk.rename(case.data)
    back = case.run()
    assert (back.run, back.emptied, case.history()) == (0, [], commits)
    assert case.asked("SELECT * FROM cf_tombstones") == []


@pytest.mark.slow
def test_no_table_is_replaced_by_an_emptied_folder_without_a_word(case: Case) -> None:
    disk = unmount(case)
    (case.data / "empty.csv").touch()
    for _ in range(2):
        with pytest.raises(UsageError, match="nothing is left to replace sales with") as refused:
            case.run(mode=SinkMode.REPLACE)
        assert refused.value.fix == "casparian source policy 1 retire --even-if-empty"
    assert (case.ids(), case.run().emptied) == ([1, 2, 3], [])
    case.data.rename(case.data.with_name("mount"))
    disk.rename(case.data)
    assert (case.run(mode=SinkMode.REPLACE).run, case.ids()) == (2, [1, 2, 3])
    unmount(case)
    with pytest.raises(UsageError):
        case.run(mode=SinkMode.REPLACE)
    case.policy(WhenMissing.RETIRE, even_if_empty=True)
    assert (case.run(mode=SinkMode.REPLACE).retired, case.ids()) == (
        [RetiredRows(table="sales", rows=3, quarantined=1, files=2)],
        [],
    )


@pytest.mark.slow
def test_a_disk_inside_a_source_takes_its_rows_neither_by_policy_nor_by_replacement(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks = Disks(monkeypatch, tmp_path / "shelf")
    inner = case.data / "inner"
    inner.mkdir()
    case.write("inner/sales_3.csv", "5,5.5,eve")
    disks.mount(inner)
    case.policy(WhenMissing.RETIRE)
    case.run()
    disks.unmount(inner)
    (case.data / "sales_2.csv").unlink()
    case.write("sales_4.csv", "6,6.5,fay")
    reply = case.run()
    assert (reply.unreadable[0], reply.outcome, case.ids()) == ("inner/", "failed_files", [1, 2, 5, 6])
    case.write("sales_4.csv", "7,7.5,gil")
    case.run(mode=SinkMode.REPLACE)
    assert case.ids() == [1, 2, 5, 7]
    case.policy(WhenMissing.RETIRE, even_if_empty=True)
    assert (case.run().unreadable, case.ids()) == ([], [1, 2, 7])


@pytest.mark.slow
def test_an_emptied_source_is_retired_once_a_person_says_that_it_is_meant(case: Case) -> None:
    case.policy(WhenMissing.RETIRE)
    disk = unmount(case)
    case.run()
    case.policy(WhenMissing.RETIRE, even_if_empty=True)
    assert (case.run().emptied, case.ids()) == ([], [])
    case.data.rmdir()
    disk.rename(case.data)
    case.run()
    assert case.ids() == [1, 2, 3]
    unmount(case)
    assert case.run().emptied[0].files == 2  # the word was about that time
    assert case.ids() == [1, 2, 3]


@pytest.mark.slow
def test_a_file_that_is_there_shows_its_source_also_when_nothing_in_it_can_be_read_now(case: Case) -> None:
    case.policy(WhenMissing.RETIRE)
    (case.data / "sales_2.csv").unlink()
    (case.data / "sales_1.csv").write_bytes(b"")
    assert (case.run().emptied, case.ids()) == ([], [])


def test_a_folder_that_cannot_be_listed_lets_nothing_go_that_it_lost_before(case: Case) -> None:
    (case.data / "sales_2.csv").unlink()
    case.run()
    case.policy(WhenMissing.RETIRE)
    case.data.rename(case.data.with_name("disk"))
    case.data.touch()  # no folder any more
    reply = case.run_known()
    assert case.ids() == [1, 2, 3] and reply.emptied[0].files == 1


@pytest.mark.slow
@pytest.mark.parametrize("policy", [WhenMissing.RETIRE, WhenMissing.PURGE])
def test_a_folder_that_is_away_right_after_a_run_loses_no_row(case: Case, policy: WhenMissing) -> None:
    (case.data / "sales_2.csv").unlink()
    case.run()
    case.policy(policy, even_if_empty=True)  # a word about that file alone
    case.run()
    before = (case.ids(), case.history(), case.asked("SELECT * FROM cf_proposals"))
    case.act(lambda acting: mark_dirty(acting.database.driver, [1]))  # as the other one is while it is young
    case.data.rename(case.data.with_name("disk"))
    assert case.run_known().unreadable == [str(case.data), "sales_1.csv"]
    case.data.mkdir()
    [emptied] = case.run().emptied
    assert (emptied.policy, emptied.files) == (policy, 1)
    assert (case.ids(), case.history(), case.asked("SELECT * FROM cf_proposals")) == before


@pytest.mark.slow
def test_no_purge_is_asked_for_while_a_source_looks_emptied(case: Case) -> None:
    case.policy(WhenMissing.PURGE)
    unmount(case)
    reply = case.run()
    assert (reply.purges, reply.emptied[0].policy) == ([], WhenMissing.PURGE)
    assert case.asked("SELECT * FROM cf_proposals WHERE kind = 'purge'") == []
    case.policy(WhenMissing.PURGE, even_if_empty=True)
    reply = case.run()
    [purge] = reply.purges
    assert (purge.files, purge.rows, reply.emptied) == (2, 4, [])
    shown = case.read(status, AskStatus())
    assert (shown.approvals, shown.contracts_proposed) == (1, 0) and "casparian approval list" in shown.next
    assert approve(case).erased == ErasedRows(rows=4, files=2, tables=["sales"])
    assert case.read(status, AskStatus()).approvals == 0
    assert (case.ids(), case.run().emptied) == ([], [])


@pytest.mark.slow
def test_bytes_that_were_erased_are_not_read_again_unless_somebody_says_so(case: Case) -> None:
    case.policy(WhenMissing.PURGE)
    kept = (case.data / "sales_2.csv").read_bytes()
    (case.data / "sales_2.csv").unlink()
    case.run()
    purge = approve(case).proposal.id
    (case.data / "from_a_backup.csv").write_bytes(kept)
    back = case.run()
    assert (back.skipped["held_by_policy"], back.held, case.ids()) == (1, "from_a_backup.csv", [1, 2])
    assert back.held_why == f"its rows were erased by {purge}; --force reads it again"
    case.act(lambda acting: run(acting, RunFiles(selection=MakePlan(table="sales", force=True))))
    assert case.ids() == [1, 2, 3]
    assert case.run().held is None  # somebody wanted them


PLANTED = "Zy0n-planted-9471"


def places(*folders: Path) -> list[str]:
    """Every file below these folders in which the planted text stands."""
    return [
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and PLANTED.encode() in path.read_bytes()
    ]


def approve(case: Case) -> Decided:
    """Agree to the one purge that waits, as the only person of the home; what came of it."""
    with open_reading(case.home, Settings(), case.data) as reading:
        [row] = list_proposals(reading.connection, kind=Kind.PURGE, states=[State.PROPOSED])
        shown = detail(reading.connection, row["id"])
        home = home_id(reading.connection)
    private = new_private_key()

    def agree(acting: Acting) -> Decided:
        now = acting.clock()
        with acting.database.transaction() as connection:
            enrol(connection, public_half(private), actor=acting.actor, added_by=acting.actor, now_ns=now)
        statement = Statement(
            home=home, proposal=row["id"], digest=shown.digest or "", decision=Decision.APPROVE, actor=acting.actor,
            reason="asked to forget", at_ns=now,
        )  # fmt: skip
        request = ApproveProposal(
            proposal=shown.proposal.id, digest=statement.digest, reason=statement.reason, at=now,
            key=key_id(public_half(private)), signature=sign(private, statement),
        )  # fmt: skip
        return do_approve(acting, request)

    decided: Decided = case.act(agree)
    assert decided.is_applied
    return decided


@pytest.mark.slow
def test_a_purge_leaves_no_byte_of_the_rows_anywhere_and_their_past_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    kinds = ("parquet://{}/out/p", "csv://{}/out/c", "duckdb://{}/out/d.duckdb", "sqlite://{}/out/s.db")
    (tmp_path / "out").mkdir()
    case = Case(Home(tmp_path / "home"), data, tuple(kind.format(tmp_path) for kind in kinds))
    case.write("sales_1.csv", "1,1.5,ann")
    case.run()
    for at in range(2, 8):
        case.write(f"sales_{at}.csv", f"{at},1.5,{PLANTED if at == 4 else 'bob'}", f"{PLANTED if at == 4 else 'x'},1,2")
    case.run()
    assert len(places(tmp_path / "out")) >= 4 and places(case.home.path)
    (data / "sales_4.csv").unlink()
    case.policy(WhenMissing.PURGE)
    case.run()
    case.run()  # asked for once
    assert [case.ids(sink) for sink in case.sinks] == [list(range(1, 8))] * 4  # nobody agreed yet
    before = {sink: case.history(sink)[0].snapshot for sink in case.sinks}
    case.home.crashes.mkdir()
    (case.home.crashes / "crash-20260302T000000Z-7.txt").write_text(f"arguments ['sql', '{PLANTED}']\n")
    case.home.sentinel_log.write_text(f"of a parser: {PLANTED}\n")
    with case.home.sentinel_log.open("a") as service:  # which goes on
        purge = approve(case).proposal.id
        service.write("later\n")
    assert case.home.sentinel_log.read_text() == "later\n"
    rest = [1, 2, 3, 5, 6, 7]
    assert [case.ids(sink) for sink in case.sinks] == [rest] * 4
    assert places(tmp_path / "out", case.home.path) == []
    for sink, snapshot in before.items():
        with pytest.raises(Erased, match=f"erased by {purge}") as caught:
            case.act(
                lambda acting, to=snapshot, at=sink: revert(
                    acting, RevertOutput(table="sales", snapshot=str(to), sink=at)
                )
            )
        assert caught.value.exit_code == 7
    with pytest.raises(Erased, match=f"erased by {purge}"):
        case.read(ask, AskSql(query="SELECT * FROM sales", as_of=str(max(before.values()))))
    assert len(case.read(ask, AskSql(query="SELECT * FROM sales", as_of="1")).rows) == 1  # before the rows came
    stones = case.asked("SELECT * FROM cf_tombstones")
    assert {(stone["action"], stone["sink_uri"]) for stone in stones} == {("purged", sink) for sink in case.sinks}
    assert case.run().run == 0 and case.ids(case.sinks[0]) == rest
    case.write("sales_1.csv", "1,9.5,eve")
    case.run()
    assert [case.ids(sink) for sink in case.sinks] == [rest] * 4  # all of it works on


@pytest.mark.slow
def test_a_file_that_came_back_makes_its_purge_void(case: Case) -> None:
    case.policy(WhenMissing.PURGE)
    kept = (case.data / "sales_2.csv").read_bytes()
    (case.data / "sales_2.csv").unlink()
    case.run()
    (case.data / "sales_2.csv").write_bytes(kept)
    case.run()
    with pytest.raises(ProposalVoid):
        approve(case)
    assert case.ids() == [1, 2, 3]


@pytest.mark.slow
def test_a_file_that_comes_back_after_its_purge_is_read_without_the_repairs_that_were_erased(case: Case) -> None:
    values: dict[str, str | None] = {"id": "4", "amount": "4.5", "who": "dan"}
    asked = RepairRow(row=f"{case.data / 'sales_2.csv'}:2", values=values, reason="cut")
    made = case.act(lambda acting: repair(acting, asked))
    case.run()
    assert (case.ids(), case.ids(role=Role.QUARANTINE)) == ([1, 2, 3, 4], [])
    case.policy(WhenMissing.PURGE)
    kept = (case.data / "sales_2.csv").read_bytes()
    (case.data / "sales_2.csv").unlink()
    case.run()
    approve(case)
    assert case.ids() == [1, 2]
    (case.data / "sales_2.csv").write_bytes(kept)
    case.run(force=True)
    assert (case.ids(), case.ids(role=Role.QUARANTINE)) == ([1, 2, 3], [2])
    (held,) = case.read(list_repairs, ListRepairs(with_revoked=True)).repairs
    assert (held.id, held.after, held.revoked is None) == (made.id, {}, False)


@pytest.mark.slow
def test_a_purge_that_was_broken_off_is_finished_by_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    case = Case(Home(tmp_path / "home"), data)
    case.write("sales_1.csv", "1,1.5,ann")
    case.run()
    case.write("sales_2.csv", f"2,1.5,{PLANTED}", f"{PLANTED},1,2")
    case.run()
    case.policy(WhenMissing.PURGE)
    (data / "sales_2.csv").unlink()
    case.run()

    def away(_sink: FolderSink, _table: str, _role: Role, _names: object) -> None:
        raise SinkUnavailable("the disk went away")

    with monkeypatch.context() as patch:
        patch.setattr(FolderSink, "erase", away)
        with pytest.raises(SinkUnavailable):
            approve(case)
        assert case.ids() == [1] and places(case.home.path)
    case.run()
    assert case.ids() == [1] and places(case.home.path) == []
    assert all(json.loads(stone["receipt"])["is_erased"] for stone in case.asked("SELECT * FROM cf_tombstones"))
