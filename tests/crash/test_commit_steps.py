"""The process dies at each step between seal and record: the next run needs no person and gives the quiet tables."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from casparian_flow.core.errors import CasparianError, SinkUnavailable
from casparian_flow.core.outputs import PermittedEntry, SinkMode
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.run.run import run
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.reply import RunReply
from casparian_flow.operations.run.run import RunFiles
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.uri import open_sink
from casparian_flow.wiring import embedded, open_acting
from product import SOURCE, Product

DIE = """
import os, signal, sys
import {module} as module
owner, real, calls = {owner}, {owner}.{name}, []

def dies(*args, **kwargs):
    calls.append(1)
    if len(calls) > {passes} and "{when}" == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*args, **kwargs)
    if len(calls) > {passes}:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

owner.{name} = dies
from casparian_flow.clients.cli.root import main
sys.argv = ["casparian", *sys.argv[1:]]
main()
"""
STEPS = [
    ("casparian_flow.worker.landing", "module", "seal_channels", "after", 0),
    ("casparian_flow.worker.settle", "module", "seal_channels", "after", 1),
    ("casparian_flow.store.jobs", "module", "permit", "after", 0),
    ("casparian_flow.sentinel.commit.commits", "module", "permit", "after", 1),
    ("casparian_flow.sinks.folder", "module.FolderSink", "promote", "before", 1),
    ("casparian_flow.sinks.folder", "module", "put_if_absent", "after", 0),
    ("casparian_flow.sinks.folder", "module.FolderSink", "promote", "after", 1),
    ("casparian_flow.sentinel.commit.commits", "module", "record", "before", 1),
    ("casparian_flow.store.jobs", "module", "complete", "after", 0),
    ("casparian_flow.sentinel.commit.commits", "module", "record", "after", 0),
    ("casparian_flow.sentinel.commit.commits", "module", "retire", "after", 0),
]
"""Some of them are tried with a replacement too: of those, the crash matrix tries every step that changes a disk."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data")


def make_data(folder: Path) -> Path:
    folder.mkdir()
    for number in range(3):
        (folder / f"sales_{number}.csv").write_text(f"id,amount\n{number},1.5\n{number}0,oops,1\n")
    return folder


def die(product: Product, source: str, *arguments: str) -> int:
    """The command with one of its functions replaced; its exit code."""
    command = [sys.executable, "-c", source, "--home", str(product.home), *arguments]
    done = subprocess.run(command, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, timeout=120, check=False)
    return done.returncode


@cache
def quiet_content(mode: str) -> dict[str, list[str]]:
    """What a run over `make_data` brings that nobody disturbs."""
    with TemporaryDirectory() as folder:
        run_here(Path(folder, "home"), make_data(Path(folder, "data")), mode)
        return Product(Path(folder, "home")).content()


def run_here(home: Path, data: Path, mode: str, *sinks: str) -> RunReply:
    """A run in this process, as a new start does it."""
    selection = MakePlan(paths=(str(data),), mode=SinkMode(mode), sinks=sinks)
    with open_acting(Home(home), Settings(), data.parent, lambda _event, _values: None) as acting:
        return run(acting, RunFiles(selection=selection))


def states(home: Path) -> set[str]:
    with closing(sqlite3.connect(home / "state.sqlite3")) as database:
        return {state for (state,) in database.execute("SELECT state FROM cf_jobs")}


@pytest.mark.invariant(2)
@pytest.mark.parametrize(
    ("mode", "module", "owner", "name", "when", "passes"),
    [
        *(pytest.param("append", *step, marks=[pytest.mark.slow] if at % 3 else []) for at, step in enumerate(STEPS)),
        *(pytest.param("replace", *step, marks=pytest.mark.slow) for step in STEPS[1::3]),
    ],
)
def test_a_death_at_this_step_is_put_right_by_the_next_run(
    tmp_path: Path, data: Path, mode: str, module: str, owner: str, name: str, when: str, passes: int
) -> None:
    product = Product(tmp_path / "home")
    source = DIE.format(module=module, owner=owner, name=name, when=when, passes=passes)
    code = die(product, source, "run", str(data), "--mode", mode, "--workers", "1")
    assert code in (-signal.SIGKILL, 0, 3)  # a mode may pass a step less often than another
    run_here(product.home, data, mode)
    assert product.content() == quiet_content(mode)
    assert run_here(product.home, data, mode).run == 0
    assert states(product.home) <= {"completed", "aborted"}


class Refusing:
    """A sink whose first promotions fail."""

    def __init__(self, sink: Sink, refusals: int) -> None:
        self._sink, self.refusals = sink, refusals

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    def promote(self, entries: Sequence[PermittedEntry]) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            raise SinkUnavailable("the disk went away", why="somebody pulled it out")
        self._sink.promote(entries)


def acting_with(acting: Acting, open_sink: Callable[[str], Any]) -> Acting:
    """The same right to act, with these sinks instead of the real ones."""
    execution = embedded(acting.database, open_sink, acting.home.staging, PseudonymKey(acting.home.pseudonym_key))
    return replace(acting, open_sink=open_sink, execution=execution)


def test_what_could_not_be_promoted_is_promoted_at_the_end_of_the_run(tmp_path: Path, data: Path) -> None:
    home = Home(tmp_path / "home")
    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        sink = Refusing(open_sink(home.default_sink), refusals=1)
        reply = run(acting_with(acting, lambda _uri: sink), RunFiles(selection=MakePlan(paths=(str(data),))))
    assert (reply.completed, reply.failed, reply.failures) == (3, 0, [])
    assert Product(home.path).table("sales").num_rows == 3


def test_a_sink_that_stays_away_leaves_the_jobs_committing_and_the_next_start_lands_them(
    tmp_path: Path, data: Path
) -> None:
    home = Home(tmp_path / "home")
    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        sink = Refusing(open_sink(home.default_sink), refusals=1000)
        reply = run(acting_with(acting, lambda _uri: sink), RunFiles(selection=MakePlan(paths=(str(data),))))
    assert reply.outcome == "failed_files"
    assert {(failure.state, failure.why) for failure in reply.failures} == {("committing", "somebody pulled it out")}
    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        assert (acting.recovered.rolled_forward, acting.recovered.troubles) == (3, {})
        assert run(acting, RunFiles(selection=MakePlan(paths=(str(data),)))).run == 0
    assert Product(home.path).table("sales").num_rows == 3


def test_a_home_works_on_while_one_of_its_sinks_is_away(tmp_path: Path, data: Path) -> None:
    home, away = Home(tmp_path / "home"), f"parquet://{tmp_path / 'away'}"
    selection = MakePlan(paths=(str(data),), sinks=(away,))
    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        refusing = Refusing(open_sink(away), refusals=1000)
        run(acting_with(acting, lambda _uri: refusing), RunFiles(selection=selection))
    (tmp_path / "away").rename(tmp_path / "elsewhere")
    (tmp_path / "away").write_text("not a folder")
    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        assert set(acting.recovered.troubles) == {away}
        assert run(acting, RunFiles(selection=MakePlan(paths=(str(data),)))).completed == 3
        with pytest.raises(CasparianError):
            run(acting, RunFiles(selection=selection))
    (tmp_path / "away").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "away")
    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        assert acting.recovered.rolled_forward == 3
        assert run(acting, RunFiles(selection=selection)).skipped == {"up_to_date": 3}


def test_files_of_a_refused_job_go_though_its_worker_died_before_it_could_remove_them(
    tmp_path: Path, data: Path
) -> None:
    product = Product(tmp_path / "home")
    run_here(product.home, data, "append")  # the table is known: what follows is sealed at once
    before = sorted(product.home.rglob("*.parquet"))
    (data / "sales_3.csv").write_text("id,amount\n3,1.5\n30,oops,1\n")
    source = DIE.format(
        module="casparian_flow.worker.targets", owner="module.Targets", name="discard", when="before", passes=0
    )
    assert die(product, source, "run", str(data), "--tolerance", "0.1", "--workers", "1") == -signal.SIGKILL
    assert len(list(product.home.rglob("*.parquet"))) == len(before) + 2
    product("scan", str(data), expect=[0])
    assert sorted(product.home.rglob("*.parquet")) == before
