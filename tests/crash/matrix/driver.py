"""A process in which all of the product is loaded, and which forks: once for a run that goes wrong, once for the next.

Whatever a fork had to import is imported here too, so that the next one need not.

Reads one request per line, answers one line each. Started with `LD_PRELOAD`, so that disks can go wrong. Guests, whose
disks never do, are forked off a warm interpreter.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from casparian_flow.clients.cli.root import run as command
from casparian_flow.sinks import checkpoint, folder
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import job_ends, jobs, meta, runs
from casparian_flow.worker import guest, job_run
from warm_guests import forked_at

from .disk import Disk, Fault
from .judgement import Found, is_over, look
from .scenarios import KEPT_BYTES, SCENARIOS, Scenario, World

LONGEST_SECONDS = 120
"""A run that takes longer than that hangs; it is ended, and its cell is broken."""
MARKS = (
    (meta, "next_incarnation", "begin"),
    (runs, "submit", "submit"),
    (jobs, "claim", "claim"),
    (jobs, "start", "start"),
    (jobs, "hold", "hold"),
    (jobs, "permit", "permit"),
    (jobs, "complete", "record"),
    (job_ends, "end", "end"),
)


def in_fork(do: Callable[[], Any]) -> tuple[int, Any]:
    """What a forked process answers, and how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            os.setsid()
            known, answer = set(sys.modules), do()
            imported = [name for name, module in sys.modules.items() if name not in known and module.__spec__]
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(pickle.dumps((answer, imported)))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(98)
    os.close(writing)
    alarm = threading.Timer(LONGEST_SECONDS, os.killpg, (child, signal.SIGTERM))
    alarm.start()
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    alarm.cancel()
    alarm.join()
    _, status = os.waitpid(child, 0)
    answer, imported = pickle.loads(data) if data else (None, [])
    for name in imported:
        importlib.import_module(name)
    return os.waitstatus_to_exitcode(status), answer


def said_by(world: World, arguments: Sequence[str], fault: Fault | None = None, watches: bool = False) -> Any:
    """Run the command in this process: its exit code, its words, the steps of its disk, if the fault struck."""
    graves = world.folder.with_name("graves")
    shutil.rmtree(graves, ignore_errors=True)
    graves.mkdir()
    said = world.folder.with_name("said")
    stream = os.open(said, os.O_CREAT | os.O_TRUNC | os.O_RDWR)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    disk = Disk(world.folder, fault, graves) if fault or watches else None
    if disk is not None:
        for module, name, about in MARKS:
            _mark(disk, module, name, about)
    code = command(["--home", str(world.home), *arguments])
    sys.stdout.flush()
    if disk is not None:
        disk.leave()
    return code, said.read_text(errors="replace"), dict(disk.steps) if disk else {}, bool(disk and disk.has_struck)


def _mark(disk: Disk, module: Any, name: str, about: str) -> None:
    real = getattr(module, name)

    def marked(*args: Any, **values: Any) -> Any:
        disk.transactions.mark(about)
        return real(*args, **values)

    for each in list(sys.modules.values()):  # whoever imported it by its name, too
        if getattr(each, name, None) is real:
            patch.object(each, name, marked).start()


class Driver:
    """One world at a time, always in the same place: the state names its targets by their path."""

    def __init__(self, root: Path) -> None:
        self._world = World(root / "world")
        self._templates = root / "templates"
        self._quiet: dict[str, tuple[Found, dict[str, int], int]] = {}

    def prepare(self, name: str) -> tuple[Found, dict[str, int], int]:
        """What a quiet run of a scenario leaves, its steps and its exit code."""
        if name not in self._quiet:
            scenario, world = SCENARIOS[name], self._world
            shutil.rmtree(world.folder, ignore_errors=True)
            world.folder.mkdir(parents=True)
            for arguments, fault in scenario.prepare(world):
                code, answer = in_fork(lambda a=arguments, f=fault: said_by(world, a, f))  # type: ignore[misc]
                if fault is None and (answer is None or answer[0] not in (0, 3)):
                    raise AssertionError(f"{name} could not be prepared: {code} {answer}")
                if fault is not None and code != -9:
                    raise AssertionError(f"{name} could not be prepared: {fault} never came: {answer}")
            shutil.copytree(world.folder, self._templates / name, symlinks=True)
            code, answer = in_fork(lambda: said_by(world, scenario.arguments(world), watches=True))
            if answer is None:
                said = world.folder.with_name("said").read_text(errors="replace")
                raise AssertionError(f"{name}: the quiet run ended with {code} and said {said}")
            steps = answer[2]
            code, found = in_fork(lambda: look(world, scenario))
            assert code == 0 and not found.litter and not found.trouble, f"{name}: the quiet run left {found}"
            self._quiet[name] = (found, steps, answer[0])
        return self._quiet[name]

    def cell(self, name: str, fault: Fault) -> dict[str, Any]:
        """One cell of the matrix: `broken` says what does not hold, nothing if all does."""
        expected, _steps, quiet_code = self.prepare(name)
        scenario, world = SCENARIOS[name], self._world
        shutil.rmtree(world.folder, ignore_errors=True)
        shutil.copytree(self._templates / name, world.folder, symlinks=True)
        code, answer = in_fork(lambda: said_by(world, scenario.arguments(world), fault))
        said = world.folder.with_name("said").read_text(errors="replace")
        struck = code == -9 or bool(answer and answer[3])
        result: dict[str, Any] = {"struck": struck, "code": answer[0] if answer else code, "said": said, "broken": []}
        if not struck:
            return result
        broken = result["broken"]
        if fault.kind == "full":
            broken += _words(result["code"], quiet_code, said)
        elif code != -9:
            broken.append(f"it ended with {code}")
        code, answer = in_fork(lambda: self._next_run(scenario, lost_power=fault.kind == "torn"))
        if answer is None:
            broken.append(f"the next run ended with {code}: {world.folder.with_name('said').read_text()}")
        else:
            (code, words, *_), found = answer
            if code not in scenario.codes:
                broken.append(f"the next run ended with {code} and said {words}")
            broken += found.differs_from(expected)
        return result

    def _next_run(self, scenario: Scenario, *, lost_power: bool) -> tuple[Any, Found]:
        """What the run after a fault says, and what there is after it.

        A removal that was lost with the power may leave what no reader sees, until a sweep.
        """
        world = self._world
        with _served(world) if scenario.next_is_served else nullcontext():
            answer = said_by(world, scenario.arguments(world))
        if lost_power:
            open_sink(world.uri(scenario.scheme)).sweep([])
        return answer, look(world, scenario)


@contextmanager
def _served(world: World) -> Iterator[None]:
    """A sentinel with a worker holds the home; afterwards every job is over, and it has ended in order.

    A run that is asked of it leaves jobs to the run that they are of, which it takes up once their workers are gone.
    """
    here = world.home / "sentinel.json"
    here.unlink(missing_ok=True)
    service = os.fork()
    if not service:
        try:
            stream = os.open(world.folder.with_name("service"), os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            os.dup2(stream, 1)
            os.dup2(stream, 2)
            os._exit(command(["--home", str(world.home), "start", "--workers", "1"]))
        except BaseException:
            traceback.print_exc()
            os._exit(98)
    while not here.exists():
        ended, status = os.waitpid(service, os.WNOHANG)
        assert not ended, f"the service ended with {os.waitstatus_to_exitcode(status)}"
        time.sleep(0.01)
    yield
    while not is_over(world):
        time.sleep(0.02)
    code, words, *_ = said_by(world, ["stop"])
    assert code == 0, words
    _, status = os.waitpid(service, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def _words(code: int, quiet_code: int, said: str) -> list[str]:
    """What is wrong with the words; a run that ended as it would have anyhow need not speak of the disk."""
    broken = []
    if code not in (0, 1, 3):
        broken.append(f"a full disk ended it with {code}")
    if code != quiet_code and "full" not in said:
        broken.append("nobody is told that the disk is full")
    if "Traceback" in said or "bug" in said:
        broken.append("a full disk is said to be a bug of ours")
    return broken


def main() -> None:
    """Answer requests until there are none."""
    guest._start_fresh = forked_at(sys.argv[2])
    job_run.KEPT_BYTES = KEPT_BYTES
    checkpoint.CHECKPOINT_EVERY = folder.CHECKPOINT_EVERY = 2
    driver = Driver(Path(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "point" in request:
                scenario = request.pop("scenario")
                answer: Any = driver.cell(scenario, Fault(**request))
            else:
                answer = {"steps": driver.prepare(request["scenario"])[1]}
        except Exception:
            answer = {"trouble": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
