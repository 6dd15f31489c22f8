"""A worker that cannot begin says so to whoever waits for its work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from casparian_flow.core.errors import HomeUnavailable
from casparian_flow.operations.doing.run.run import run
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.run import RunFiles
from casparian_flow.protocol.in_process import InProcessRouter
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.uri import open_sink
from casparian_flow.wiring import embedded, local_workers, open_acting


def test_what_ended_the_thread_of_a_worker_is_raised_to_whoever_asks(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    station = local_workers(1, InProcessRouter(), open_sink, tmp_path / "file" / "scratch")
    station.check()
    with station:
        station._thread.join()
        with pytest.raises(HomeUnavailable, match="no place"):
            station.check()


def test_a_run_whose_worker_cannot_begin_ends_and_the_next_one_does_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text("id\n1\n")
    asked = RunFiles(selection=MakePlan(paths=(str(tmp_path / "data"),)))
    with (
        pytest.raises(HomeUnavailable, match="no place"),
        open_acting(Home(tmp_path / "home"), Settings(), tmp_path, lambda _event, _values: None) as acting,
    ):
        key = PseudonymKey(acting.home.pseudonym_key)
        execution = embedded(acting.database, open_sink, tmp_path / "file" / "scratch", key)
        run(replace(acting, execution=execution), asked)
    with open_acting(Home(tmp_path / "home"), Settings(), tmp_path, lambda _event, _values: None) as acting:
        assert run(acting, asked).completed == 1


def test_an_interrupt_while_its_end_is_awaited_is_raised_when_nothing_of_it_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = local_workers(1, InProcessRouter(), open_sink, tmp_path / "scratch")
    join, times = station._thread.join, []

    def interrupted_once() -> None:
        times.append(1)
        if len(times) == 1:
            raise KeyboardInterrupt
        join()

    monkeypatch.setattr(station._thread, "join", interrupted_once)
    with pytest.raises(KeyboardInterrupt), station:
        pass
    assert not station._thread.is_alive()
