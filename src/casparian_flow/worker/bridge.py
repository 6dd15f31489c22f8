"""Runs one parser over a group of files in a guest and reports what happens, event by event."""

from __future__ import annotations

import math
import select
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from enum import Enum
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
from casparian_flow.worker.carrying import Carried
from casparian_flow.worker.events import Began, Ended, Event, Printed, Quiet, Raised
from casparian_flow.worker.frames import BrokenFrame, Closed, FrameReader
from casparian_flow.worker.guest import Guest
from casparian_flow.worker.launch import WHOLE_FILES, start_guest
from casparian_flow.worker.printed import Printout
from casparian_flow.worker.stream import Stream
from casparian_flow.worker.zygotes import Zygotes

EXIT_SECONDS = 2.0
"""How long a guest that closed its socket may take to be gone."""
FIRST_SIGN_SECONDS = 10.0
"""After so long without anything from a copied process its file is given to a fresh one."""
_LOOK_SECONDS = 0.2
"""How often to look whether a silent guest still lives: a child of it may hold its socket open."""
_ADVICE = {
    "SIGKILL": "nobody here killed it: most likely memory ran out",
    "SIGABRT": "a native library gave up, often for lack of memory: see the memory limit",
}


class Fate(Enum):
    """How a conversation ended."""

    DONE = "every job was answered"
    REFUSED = "the next job was not to begin"
    FAILED = "the job in progress killed the guest or was killed with it"
    DIED = "the guest died, and the job in progress need not be the reason"
    SILENT = "a copy gave nothing for long, as if something did not survive being copied"


class _Silent(Exception):
    """Nothing came from a copy for so long that a fresh process is to be tried."""


def _always(job: int | None) -> bool:
    return True


def parse(
    parser: ParserOrder,
    jobs: Sequence[JobOrder],
    limits: Limits,
    stop: CancelToken,
    may_begin: Callable[[int | None], bool] = _always,
    scratch: Path | None = None,
    zygotes: Zygotes | None = None,
    carried: Mapping[int, Carried] = WHOLE_FILES,
) -> Generator[Event]:
    """Parse the files in order and yield what comes of them.

    The files of a parser that shares its process are read by one guest, others by one each. A guest is a copy of its
    parser's zygote if there is one among `zygotes`.

    A job that fails by an answer of its parser yields Raised, and the next one follows. If the guest itself dies, the
    jobs that are left are read by a guest each, so that whoever kills it is named: the job in progress too, unless
    nothing else had been in that guest. A guest that hangs or breaks the protocol is the fault of the job in progress,
    which yields Raised; a copy of which nothing is heard for long is replaced by a fresh process first. After `stop`
    was cancelled the iterator ends without a further event. When it ends, for whatever reason, or is closed, the
    guest's process group is dead and its scratch folder removed.

    Of the jobs in `carried` only the spans named there are read.

    `may_begin` is asked when a job is over, whether the guest may begin with the one that follows (None after the
    last one of a guest), and before every further guest; if not, the iterator ends. As long as it has not been asked,
    the guest is at the job before.

    In `scratch` the guest gets a folder, so that whoever takes that over finds what a killed host left; without, it is
    in the machine's folder for temporary files.

    A guest that gives nothing yields Quiet several times a second, so that whoever listens can do what is due.

    Silence is no failure: a parser may compute for an hour before it gives a row, in C and with the interpreter's lock
    held, where no thread of the guest could send a sign of life. So none is asked of it. The host itself sees whether
    the process lives; how long it gave nothing is reported, and only the time limit of a job ends it.
    """
    waiting = list(jobs)
    shares = parser.shares_process
    suspect: _Conversation | None = None
    is_first = True
    while waiting and not stop.is_cancelled:
        if not (is_first or suspect or may_begin(waiting[0].job)):
            return
        is_first = False
        group = waiting if shares else waiting[:1]
        guest = start_guest(parser, group, limits, scratch, None if suspect else zygotes, carried)
        talk = _Conversation(parser, group, limits, guest, stop, may_begin)
        if zygotes and (guest.is_forked or suspect) and not zygotes.is_slow(parser, limits):
            talk.expect_sign(FIRST_SIGN_SECONDS)
        try:
            with stop.calling(guest.kill):
                yield from talk.events()
        finally:
            guest.end()
        if zygotes and suspect and suspect.blames_fork and not stop.is_cancelled:
            _judge(zygotes, parser, limits, suspect, talk)
        if talk.fate is Fate.REFUSED:
            return
        shares = shares and talk.fate is Fate.DONE
        suspect = talk if talk.fate in (Fate.DIED, Fate.SILENT) else None
        waiting = [job for job in waiting if job.job not in talk.over]


def _judge(zygotes: Zygotes, parser: ParserOrder, limits: Limits, copy: _Conversation, fresh: _Conversation) -> None:
    """Keep in mind what it says about forking how a fresh process fared with the file on which a copy failed."""
    if copy.fate is Fate.SILENT and fresh.was_silent:
        zygotes.call_slow(parser, limits)
    elif copy.fate is Fate.SILENT:
        zygotes.refuse(parser, limits, "a copy of its process gives nothing where a fresh process does")
    elif fresh.fate is Fate.DONE:
        zygotes.refuse(parser, limits, "a copy of its process dies where a fresh process does not")


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
        self._has_died = False
        self._sign_by = math.inf
        self.fate = Fate.DONE
        self.over: set[int] = set()
        self.was_silent = False
        self._reader = FrameReader(guest.line, limits.frame_bytes)
        self._stream = Stream(parser.name, [job.job for job in jobs], guest.isolation)
        self._printout = Printout(guest.pipes, limits.log_bytes)
        self._deadline = time.monotonic() + limits.job_seconds

    @property
    def blames_fork(self) -> bool:
        """Whether nothing but how it began sets this guest apart from a fresh one: it had read nothing else."""
        return self._guest.is_forked and not self.over and not self._guest.was_orphaned

    def expect_sign(self, seconds: float) -> None:
        """Take note, or end, if the first job gives nothing within so many seconds."""
        self._sign_by = time.monotonic() + seconds

    def events(self) -> Iterator[Event]:
        """Every event; a failure of the guest as a whole is the last one."""
        try:
            for event in self._talk():
                if isinstance(event, (Ended, Raised)):
                    self.over.add(event.job)
                if isinstance(event, Printed):
                    self._sign_by = math.inf
                given = time.monotonic()
                yield event
                busy = time.monotonic() - given
                self._deadline += busy  # the guest's clock stands still while the host is busy
                self._sign_by += busy
        except _Silent:
            self.fate = Fate.SILENT
        except ParserFailed as error:
            job = self._stream.blamed
            if self._stop.is_cancelled or job is None:
                return
            late = list(self._printout.drain_all(self._stream.job))
            if words := self._printout.last_lines:
                error.why = " | ".join(filter(None, [error.why, f"stderr: {words}"]))
            yield from late
            self.fate = Fate.DIED if self._may_be_innocent(error) else Fate.FAILED
            if self.fate is Fate.FAILED:
                self.over.add(job)
                yield Raised(job, error)

    def _may_be_innocent(self, error: ParserFailed) -> bool:
        """Whether the guest's death may have another reason than the job in progress."""
        if not self._has_died:
            return False
        return bool(self.over) or (self._guest.is_forked and isinstance(error, ParserCrashed))

    def _talk(self) -> Iterator[Event]:
        line = self._guest.line.fileno()
        streams = {pipe: stream for stream, pipe in self._guest.pipes.items()}
        poll = select.poll()
        for handle in (line, *streams):
            poll.register(handle, select.POLLIN)
        while not self._stop.is_cancelled:
            now = time.monotonic()
            if now >= self._deadline:
                raise ParserTimedOut(f"{self._name}: not done after {self._limits.job_seconds:g} seconds")
            if now >= self._sign_by:
                self._miss_sign()
            wait = min(_LOOK_SECONDS, self._deadline - now, self._sign_by - now)
            ready = [handle for handle, _ in poll.poll(math.ceil(wait * 1000))]
            if not ready:
                if self._guest.has_exited:
                    raise self._death()
                yield Quiet()
            done = len(self.over)
            if ready:  # the line first, even for a pipe alone: BEGIN came before what its job prints
                yield from self._listen()
            for pipe in ready:
                if pipe != line and len(self.over) == done:  # else the next job may have printed since: look anew
                    yield from self._printout.drain(streams[pipe], self._stream.job)
                    if streams[pipe] in self._printout.closed:
                        poll.unregister(pipe)
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
                if frame.kind not in (Kind.HELLO, Kind.BEGIN):
                    self._sign_by = math.inf
                if closes:
                    self._go_on()
                if isinstance(event, Began):
                    self._printout.start_job()
                    self._deadline = time.monotonic() + self._limits.job_seconds
                if event is not None:
                    yield event
                self._is_over |= self._stream.is_complete
                if self._is_over or (closes and self._reader.is_empty):  # it waited for our answer: nothing is there
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
            self.fate = Fate.REFUSED

    def _miss_sign(self) -> None:
        self._sign_by = math.inf
        self.was_silent = True
        if self._guest.is_forked:
            raise _Silent

    def _death(self) -> ParserFailed:
        """Why the guest is gone; all that it ever printed is in its pipes afterwards."""
        code = self._guest.wait(EXIT_SECONDS)
        self._has_died = code is not None
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
