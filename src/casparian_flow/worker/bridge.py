"""Runs one parser over a group of files in a guest and reports what happens, event by event."""

from __future__ import annotations

import selectors
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from casparian_flow.core.errors import (
    ParserBrokeProtocol,
    ParserCrashed,
    ParserFailed,
    ParserReserved,
    ParserTimedOut,
)
from casparian_flow.guest.wire import Kind
from casparian_flow.protocol.messages import JobOrder, Limits, ParserOrder
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Began, Event, Raised, Silent
from casparian_flow.worker.frames import BrokenFrame, Closed, FrameReader
from casparian_flow.worker.launch import Guest, start_guest
from casparian_flow.worker.printed import Printout
from casparian_flow.worker.stream import Stream

EXIT_SECONDS = 2.0
"""How long a guest that closed its socket may take to be gone."""
_LOOK_SECONDS = 0.2
"""How often to look whether a silent guest still lives: a child of it may hold its socket open."""
_ADVICE = {
    "SIGKILL": "nobody here killed it: most likely memory ran out",
    "SIGABRT": "a native library gave up, often for lack of memory: see the memory limit",
}


def _always(job: int | None) -> bool:
    return True


def parse(
    parser: ParserOrder,
    jobs: Sequence[JobOrder],
    limits: Limits,
    stop: CancelToken,
    may_begin: Callable[[int | None], bool] = _always,
    scratch: Path | None = None,
) -> Generator[Event]:
    """Parse the files in order, in one guest, and yield what comes of them.

    A job that fails by an answer of its parser yields Raised, and the next one follows. If the guest itself dies,
    hangs or breaks the protocol, the job in progress yields Raised, and the iterator ends: jobs that never began are
    not reported. After `stop` was cancelled the iterator ends without a further event. When it ends, for whatever
    reason, or is closed, the guest's process group is dead and its scratch folder removed.

    `may_begin` is asked when a job is over, whether the guest may begin with the one that follows (None after the
    last); if not, the iterator ends. As long as it has not been asked, the guest is at the job before.

    In `scratch` the guest gets a folder, so that whoever takes that over finds what a killed host left; without, it is
    in the machine's folder for temporary files.

    A guest that gives nothing yields Silent several times a second, so that whoever listens can do what is due.

    Silence is no failure: a parser may compute for an hour before it gives a row, in C and with the interpreter's lock
    held, where no thread of the guest could send a sign of life. So none is asked of it. The host itself sees whether
    the process lives; how long it gave nothing is reported, and only the time limit of a job ends it.
    """
    if not jobs or stop.is_cancelled:
        return
    guest = start_guest(parser, jobs, limits, scratch)
    try:
        with stop.calling(guest.kill):
            yield from _Conversation(parser, jobs, limits, guest, stop, may_begin).events()
    finally:
        guest.end()


class _Conversation:
    """What is said between one guest and its host, until the guest is done or cannot go on."""

    def __init__(
        self,
        parser: ParserOrder,
        jobs: Sequence[JobOrder],
        limits: Limits,
        guest: Guest,
        stop: CancelToken,
        may_begin: Callable[[int | None], bool],
    ) -> None:
        self._name = parser.name
        self._limits = limits
        self._guest = guest
        self._stop = stop
        self._may_begin = may_begin
        self._is_over = False
        self._reader = FrameReader(guest.line, limits.frame_bytes)
        self._stream = Stream(parser.name, [job.job for job in jobs])
        self._printout = Printout(guest.pipes, limits.log_bytes)
        self._deadline = time.monotonic() + limits.job_seconds

    def events(self) -> Iterator[Event]:
        """Every event; a failure of the guest as a whole is the last one."""
        try:
            for event in self._talk():
                given = time.monotonic()
                yield event
                self._deadline += time.monotonic() - given  # the guest's clock stands still while the host is busy
        except ParserFailed as error:
            job = self._stream.blamed
            if self._stop.is_cancelled or job is None:
                return
            late = list(self._printout.drain_all(self._stream.job))
            if words := self._printout.last_lines:
                error.why = " | ".join(filter(None, [error.why, f"stderr: {words}"]))
            yield from late
            yield Raised(job, error)

    def _talk(self) -> Iterator[Event]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._guest.line, selectors.EVENT_READ, None)
            for stream, pipe in self._guest.pipes.items():
                selector.register(pipe, selectors.EVENT_READ, stream)
            while not self._stop.is_cancelled:
                if time.monotonic() >= self._deadline:
                    raise ParserTimedOut(f"{self._name}: not done after {self._limits.job_seconds:g} seconds")
                ready = selector.select(min(_LOOK_SECONDS, max(0.0, self._deadline - time.monotonic())))
                if not ready:
                    if self._guest.has_exited:
                        raise self._death()
                    yield Silent()
                for key, _ in sorted(ready, key=lambda found: found[0].data is not None):  # BEGIN before its prints
                    if key.data is None:
                        yield from self._listen()
                    else:
                        yield from self._printout.drain(key.data, self._stream.job)
                        if key.data in self._printout.closed:
                            selector.unregister(key.fd)
                if self._is_over:
                    return

    def _listen(self) -> Iterator[Event]:
        """The events of the frames that have arrived."""
        try:
            while not self._stop.is_cancelled and time.monotonic() < self._deadline:
                frame = self._reader.read()
                if frame is None:
                    return
                closes = frame.kind in (Kind.END, Kind.FAILED)
                if closes:  # what was printed so far belongs to this job
                    yield from self._printout.drain_all(self._stream.job)
                event = self._stream.accept(frame, self._printout.dropped)
                if closes:
                    self._go_on()
                if isinstance(event, Began):
                    self._printout.start_job()
                    self._deadline = time.monotonic() + self._limits.job_seconds
                if event is not None:
                    yield event
                self._is_over |= self._stream.is_complete
                if self._is_over:
                    return
        except Closed as exc:
            raise self._death() from exc
        except BrokenFrame as exc:
            message = f"{self._name}: what its process sent is not a valid stream"
            raise ParserBrokeProtocol(message, why=str(exc)) from exc
        except ParserReserved as exc:
            raise ParserReserved(f"{self._name}: {exc.message}") from exc

    def _go_on(self) -> None:
        """Let the guest begin with its next job, or take its leave after the last."""
        following = self._stream.blamed
        if self._may_begin(following) or following is None:
            self._guest.go_on()
        else:
            self._is_over = True

    def _death(self) -> ParserFailed:
        """Why the guest is gone; all that it ever printed is in its pipes afterwards."""
        code = self._guest.wait(EXIT_SECONDS)
        if code is None:
            return ParserBrokeProtocol(f"{self._name}: it closed its connection and went on running")
        if code >= 0:
            return ParserCrashed(f"{self._name}: its process left early with exit code {code}")
        if -code == signal.SIGXCPU:
            return ParserTimedOut(f"{self._name}: used more than {self._limits.cpu_seconds} CPU seconds")
        name = _signal_name(-code)
        return ParserCrashed(f"{self._name}: its process was ended by {name}", fix=_ADVICE.get(name, ""))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
