"""Cancelling in a service is true: nothing of the parser is alive when it is said, and one side wins, which is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from .crew import Served, a_crew, wait_for, wait_until_dead
from .processes import descendants, is_alive, is_guest, send
from .stubborn import FORKS, STUBBORN

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Served:
    product = Served(tmp_path / "crew" / "home")
    product.home.mkdir(parents=True)
    return product


@pytest.fixture
def stubborn(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Writes a parser, and a file for it in a folder of its own."""

    def write(source: str) -> tuple[Path, Path]:
        number = len(list(tmp_path.glob("stubborn*.py")))
        parser, folder = tmp_path / f"stubborn{number}.py", tmp_path / f"in{number}"
        parser.write_text(source)
        folder.mkdir()
        (folder / "a.dat").write_text(f"anything {number}")
        return parser, folder

    return write


def pids_in(folder: Path) -> list[int]:
    """The processes of the parser, once it has said which they are."""
    file = folder / "pids"
    wait_for(lambda: file.exists() and file.read_text(), "the parser never began")
    return [int(word) for word in file.read_text().split()]


def state_of(served: Served) -> tuple[str, str]:
    """The newest job and its state."""
    [(job, state)] = served.asked("SELECT CAST(id AS TEXT), state FROM cf_jobs ORDER BY id DESC LIMIT 1")
    return job, state


@pytest.mark.invariant(6)
def test_a_stubborn_parser_is_dead_when_its_job_is_said_to_be_aborted(
    served: Served, stubborn: Callable[[str], tuple[Path, Path]]
) -> None:
    with a_crew(served, workers=1) as crew:
        for name, source in STUBBORN.items():
            parser, folder = stubborn(source)
            crew.ask("run", str(folder), "--parser", str(parser), "--json")
            processes = pids_in(folder)
            job, _state = state_of(served)
            began = time.monotonic()
            answer = served("jobs", "cancel", job, "--wait", "--timeout", "60", "--json", expect=[0]).json
            alive = [pid for pid in processes if is_alive(pid)]
            print(f"{name}: said after {time.monotonic() - began:.2f} s")
            assert [each["outcome"] for each in answer["cancelled"]] == ["aborted"]
            assert not alive, f"{name}: {alive} of {processes} are alive"
            assert state_of(served) == (job, "aborted")
            wait_for(lambda: not crew.asking or not crew.reap(), "the run never ends")


@pytest.mark.parametrize("victim", ["guest", "worker"])
def test_what_a_parser_had_started_dies_with_it_though_it_left_its_session(
    served: Served, stubborn: Callable[[str], tuple[Path, Path]], victim: str
) -> None:
    parser, folder = stubborn(FORKS)
    with a_crew(served, workers=1) as crew:
        crew.ask("run", str(folder), "--parser", str(parser), "--json")
        processes = pids_in(folder)
        [worker] = crew.worker_pids()
        assert [pid for pid in descendants(worker) if is_guest(pid)] == processes[:1]
        send(worker if victim == "worker" else processes[0], signal.SIGKILL)
        wait_until_dead(processes, f"{processes} outlive their {victim}")


def test_of_a_cancel_and_a_permit_exactly_one_wins_and_is_told(served: Served, tmp_path: Path) -> None:
    random = Random(seed := int.from_bytes(os.urandom(3), "big"))
    print(f"seed {seed}")
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "first.csv").write_text("id,amount\n1000,1.5\n")
    told: dict[str, list[str]] = {}
    with a_crew(served, workers=2) as crew:
        served.run(str(folder), "--table", "many")
        for number in range(40):
            (folder / f"{number}.csv").write_text(f"id,amount\n{number},{number}.5\n")
        crew.ask("run", str(folder), "--table", "many", "--json")
        wait_for(lambda: len(served.asked("SELECT id FROM cf_jobs")) == 41, "nothing was queued")
        jobs = [job for (job,) in served.asked("SELECT CAST(id AS TEXT) FROM cf_jobs")][1:]

        def cancel() -> None:
            for _ in range(4):
                some = random.sample(jobs, 4)
                answer = served("jobs", "cancel", *some, "--json", expect=[0, 1]).json
                for each in answer["cancelled"]:
                    told.setdefault(each["job"], []).append(each["outcome"])

        clients = [threading.Thread(target=cancel) for _ in range(2)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        wait_for(lambda: not served.asked("SELECT 1 FROM cf_runs WHERE finished_at_ns IS NULL"), "it never ends")
        states = dict(served.asked("SELECT CAST(id AS TEXT), state FROM cf_jobs"))
        visible = {str(job) for job in served.table("many")["_cf_job_id"].to_pylist()}
    assert told
    for job, outcomes in told.items():
        is_stopped = bool({"aborted", "stopping"} & set(outcomes))
        assert not (is_stopped and "too-late" in outcomes), outcomes
        assert states[job] == ("aborted" if is_stopped else "completed"), (job, outcomes, states[job])
    assert visible == {job for job, state in states.items() if state == "completed"}
    assert set(states.values()) <= {"completed", "aborted"}
