"""The process dies, or a sink goes away, between the parts of one commit: every sink ends with the same rows."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from test_commit_steps import DIE, Refusing, acting_with, data, die, quiet_content, run_here, states

from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.operations.doing.run.run import run
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.run import RunFiles
from casparian_flow.settings import Home, RunSettings, Settings
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.uri import open_sink
from casparian_flow.wiring import open_acting
from product import Product

__all__ = ["data"]

STEPS = [
    ("casparian_flow.sinks.folder_staging", "module.StagedFiles", "seal", "after", 0),
    ("casparian_flow.sinks.folder", "module.FolderSink", "promote", "after", 0),
    ("casparian_flow.sinks.database", "module.DatabaseSink", "promote", "before", 0),
    ("casparian_flow.sinks.database", "module.DatabaseSink", "promote", "after", 0),
    ("casparian_flow.sinks.folder", "module.FolderSink", "claim", "after", 0),
]


@pytest.mark.invariant(2)
@pytest.mark.parametrize(
    ("mode", "module", "owner", "name", "when", "passes"),
    [
        *(pytest.param("append", *step, marks=[pytest.mark.slow] if at % 3 else []) for at, step in enumerate(STEPS)),
        *(pytest.param("replace", *step, marks=pytest.mark.slow) for step in STEPS[1::2]),
    ],
)
def test_a_death_between_two_sinks_is_put_right_in_both(
    tmp_path: Path, data: Path, mode: str, module: str, owner: str, name: str, when: str, passes: int
) -> None:
    product = Product(tmp_path / "home")
    a, b = f"parquet://{tmp_path / 'a'}", f"duckdb://{tmp_path / 'b.duckdb'}"
    arguments = (str(data), "--mode", mode, "--sink", a, "--sink", b, "--workers", "1")
    source = DIE.format(module=module, owner=owner, name=name, when=when, passes=passes)
    code = die(product, source, "run", *arguments)
    assert code == -signal.SIGKILL or (mode == "replace" and code in (0, 3))  # it promotes less often
    run_here(product.home, data, mode, a, b)
    assert product.content(a) == product.content(b) == quiet_content(mode)
    assert run_here(product.home, data, mode, a, b).run == 0
    assert states(product.home) <= {"completed", "aborted"}


@pytest.mark.parametrize("mode", ["append", pytest.param("replace", marks=pytest.mark.slow)])
def test_while_one_sink_is_away_the_other_shows_its_rows_and_the_next_start_completes_both(
    tmp_path: Path, data: Path, mode: str
) -> None:
    home, near, away = Home(tmp_path / "home"), f"parquet://{tmp_path / 'near'}", f"parquet://{tmp_path / 'away'}"
    product = Product(home.path)
    selection = MakePlan(paths=(str(data),), sinks=(away, near), mode=mode)  # type: ignore[arg-type]
    refusing = Refusing(open_sink(away), refusals=1000)

    def sinks(uri: str) -> Sink:
        return refusing if uri == away else open_sink(uri)  # type: ignore[return-value]

    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        broken = acting_with(acting, sinks)
        reply = run(broken, RunFiles(selection=selection))
    assert (reply.outcome, reply.completed) == ("failed_files", 0)
    assert {failure.state for failure in reply.failures} == {"committing"}
    assert len(product.table("sales", sink=near)) == 3
    assert len(product.table("sales", sink=away)) == 0
    assert len(product("sink", "check", away, "--json", expect=[0]).json["waiting"]) >= 1

    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        assert acting.recovered.rolled_forward == 3
        assert run(acting, RunFiles(selection=selection)).skipped == {"up_to_date": 3}
    assert product.content(near) == product.content(away)
    assert product("sink", "check", away, "--json", expect=[0]).json["waiting"] == []


def test_a_sink_whose_rows_wait_for_another_sink_takes_no_second_copy_of_them(tmp_path: Path, data: Path) -> None:
    home, near, away = Home(tmp_path / "home"), f"parquet://{tmp_path / 'near'}", f"parquet://{tmp_path / 'away'}"
    refusing = Refusing(open_sink(away), refusals=1000)
    alone = RunFiles(selection=MakePlan(paths=(str(data),), sinks=(near,)))

    def sinks(uri: str) -> Sink:
        return refusing if uri == away else open_sink(uri)  # type: ignore[return-value]

    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        broken = acting_with(acting, sinks)
        run(broken, RunFiles(selection=MakePlan(paths=(str(data),), sinks=(away, near))))
        with pytest.raises(SinkUnavailable) as refused:
            run(acting, alone)
    assert (refused.value.where, refused.value.fix) == (near, f"casparian sink check {away}")
    with open_acting(home, Settings(), tmp_path, lambda _event, _values: None) as acting:
        assert run(acting, alone).skipped == {"up_to_date": 3}
    assert Product(home.path).table("sales", sink=near).num_rows == 3


class Full:
    """A sink that takes no row any more; a broken one does not even let go of what it was given."""

    def __init__(self, sink: Sink, is_broken: bool) -> None:
        self._sink, self._is_broken = sink, is_broken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    def stage(self, *_arguments: object) -> Full:
        return self

    def write(self, _batch: object) -> None:
        raise SinkUnavailable("no row can be written", why="the disk is full")

    def discard(self, *_arguments: object) -> None:
        if self._is_broken:
            raise SinkUnavailable("no file can be removed", why="the disk went away")


@pytest.mark.parametrize("is_broken", [False, True])
def test_rows_that_one_sink_cannot_take_reach_no_sink(tmp_path: Path, data: Path, is_broken: bool) -> None:
    home, near, full = Home(tmp_path / "home"), f"parquet://{tmp_path / 'near'}", f"parquet://{tmp_path / 'full'}"
    selection = RunFiles(selection=MakePlan(paths=(str(data),), sinks=(near, full)))

    def sinks(uri: str) -> Sink:
        return Full(open_sink(uri), is_broken) if uri == full else open_sink(uri)  # type: ignore[return-value]

    settings = Settings(run=RunSettings(retry_seconds=()))
    for contract in ("found first", "in force"):
        with open_acting(home, settings, tmp_path, lambda _event, _values: None) as acting:
            broken = acting_with(acting, sinks)
            reply = run(broken, selection)
        assert (reply.completed, reply.failed) == (0, 3), contract
        assert {(failure.code, failure.message) for failure in reply.failures} == {
            ("sink-unavailable", "no row can be written")
        }
        assert list(tmp_path.rglob("*.parquet")) == []
    with open_acting(home, settings, tmp_path, lambda _event, _values: None) as acting:
        reply = run(acting, selection)
    assert (reply.completed, reply.failed) == (3, 0)
