"""Keeps the worker processes of this machine running: one that dies is started again, later each time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from casparian_flow import logs
from casparian_flow.core.errors import EnvironmentMissing
from casparian_flow.guest.family import FAMILY

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
SOUND_SECONDS = 60.0
"""A worker that lived so long is sound: its next end is its first."""

log = logs.get_log(__name__)


@dataclass(slots=True)
class _Place:
    """One worker and its successors."""

    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0


class LocalWorkers:
    """A process for each command, leading a group of its own, so that a terminal's signals pass it by.

    They are started by the thread that calls `look`, and may end when that thread does.
    """

    def __init__(self, commands: Iterable[Sequence[str]], env: Mapping[str, str]) -> None:
        # The channel to the service manager is that of this process alone.
        self._env = {name: value for name, value in env.items() if not name.startswith(("NOTIFY_", "WATCHDOG_"))}
        self._places = [_Place(list(command)) for command in commands]
        self._is_stopping = False

    def look(self, now: float) -> None:
        """Start what is due; take note of what ended. To be called every now and then; `now` is monotonic."""
        for place in self._places:
            if place.process is not None and (code := place.process.poll()) is not None:
                self._ended(place, code, now)
            if place.process is None and now >= place.due and not self._is_stopping:
                self._start(place, now)

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [place.process.pid for place in self._places if place.process is not None]

    def stop(self, seconds: float) -> None:
        """Have every worker give back what it holds; after so many seconds kill those left, with all they started."""
        self._is_stopping = True
        running = [place.process for place in self._places if place.process is not None]
        for process in running:
            process.send_signal(signal.SIGINT)
        until = time.monotonic() + seconds
        for process in running:
            try:
                process.wait(max(until - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                log.warning("worker.killed", pid=process.pid)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            FAMILY.forget(process)
        FAMILY.end_strays()

    def _start(self, place: _Place, now: float) -> None:
        try:
            place.process = FAMILY.start(
                lambda: subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
                    place.command, stdin=subprocess.DEVNULL, env=self._env, process_group=0
                )
            )
        except OSError as exc:
            raise EnvironmentMissing(
                "a worker process cannot be started", where=place.command[0], why=exc.strerror or str(exc)
            ) from exc
        place.started = now
        log.info("worker.started", pid=place.process.pid)

    def _ended(self, place: _Place, code: int, now: float) -> None:
        assert place.process is not None
        FAMILY.forget(place.process)
        pid, place.process = place.process.pid, None
        FAMILY.end_strays()  # what its parsers had started; they themselves died with it
        if self._is_stopping:
            return
        if now - place.started >= SOUND_SECONDS:
            place.pause = FIRST_PAUSE
        place.due = now + place.pause
        log.warning("worker.ended", pid=pid, exit_code=code, again_in_seconds=place.pause)
        place.pause = min(place.pause * 2, LONGEST_PAUSE)
