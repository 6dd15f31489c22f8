"""A worker at work: the line to its sentinel, its core, its slots and its scratch folder."""

from __future__ import annotations

import errno
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from casparian_flow.core.errors import CasparianError, HomeUnavailable, WorkerRefused
from casparian_flow.protocol.bodies import Identify
from casparian_flow.protocol.transport import Dealer
from casparian_flow.worker.actions import Action, Answer, Begin, Discard, Joined, Lost, Refused, Stop
from casparian_flow.worker.core import WorkerCore
from casparian_flow.worker.execute import Tools
from casparian_flow.worker.held import Key
from casparian_flow.worker.pending import job_folder
from casparian_flow.worker.settle import drop_spilled
from casparian_flow.worker.shared import SharedCore
from casparian_flow.worker.slot import Slot

MESSAGES_AT_ONCE = 100
GOODBYE_SECONDS = 2.0
"""How long a worker that has nothing in hand any more waits for its sentinel to hear that."""
STOP_SECONDS = 5.0
"""How long a worker that is to stop at once waits for its guests to be dead and for its sentinel to hear that."""
_LOOK_SECONDS = 1.0

Notify = Callable[[str, dict[str, object]], None]
"""What happened, `noun.verb` in the past, and its values."""


class Station:
    """One worker. `run` works in the calling thread until `leave`, `stop` or `close`, which any thread may call.

    As a context manager it works in a thread of its own until the end of the block.
    """

    def __init__(
        self, dealer: Dealer, profile: Identify, tools: Tools, notify: Notify, *, may_be_cut_off: bool = True
    ) -> None:
        """`dealer` and the tools are its own from now on; `may_be_cut_off` as in `WorkerCore`."""
        self._dealer = dealer
        self._tools = tools
        self._notify = notify
        self._worker = WorkerCore(profile, secrets.token_hex(16), may_be_cut_off=may_be_cut_off)
        self._core = SharedCore(self._worker, time.monotonic, dealer.wake)
        self._number_of_slots = profile.slots
        self._slots: list[Slot] = []
        self._drops: ThreadPoolExecutor | None = None
        self._wants_leave = False
        self._wants_stop = False
        self._is_leaving = False
        self._is_stopping = False
        self._is_closed = False
        self._is_running = False
        self._ends_at = float("inf")
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run_apart, name="station", daemon=True)

    def __enter__(self) -> Station:
        """Work in a thread of its own; see `check`."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        try:
            self._thread.join()
        except KeyboardInterrupt:  # what follows the block may take for granted that nothing is at work any more
            self._thread.join()
            raise

    @property
    def is_running(self) -> bool:
        """Whether `run` has begun and not ended."""
        return self._is_running

    def check(self) -> None:
        """Raises what ended the thread of this worker, if anything did: nobody else would ever say so."""
        if self._failure is not None:
            raise self._failure

    def leave(self) -> None:
        """Finish what is being read, give the rest back, then end."""
        self._wants_leave = True
        self._dealer.wake()

    def stop(self) -> None:
        """Give everything back that was not sealed, then end."""
        self._wants_stop = True
        self._dealer.wake()

    def close(self) -> None:
        """End now, without a word: what runs is killed."""
        self._is_closed = True
        self._dealer.wake()

    def run(self) -> None:
        """Work. Raises WorkerRefused if the sentinel does not want this worker."""
        self._is_running = True
        self._open()
        try:
            while not self._is_closed and not self._worker.is_over and time.monotonic() < self._ends_at:
                self._heed_wishes()
                self._exchange()
        finally:
            self._end()

    def _run_apart(self) -> None:
        try:
            self.run()
        except BaseException as exc:  # whoever started the thread asks for it
            self._failure = exc

    def _heed_wishes(self) -> None:
        """Pass on, once, that this worker is to leave or to stop, and set when it ends whatever is heard by then."""
        if self._wants_stop and not self._is_stopping:
            self._is_stopping = self._is_leaving = True
            self._core.tell(lambda core, now: core.give_up(now))
            self._ends_at = time.monotonic() + STOP_SECONDS
        if self._wants_leave and not self._is_leaving:
            self._is_leaving = True
            self._core.tell(lambda core, now: core.leave(now))
        if self._is_leaving and self._core.tell(lambda core, now: core.is_idle):
            self._ends_at = min(self._ends_at, time.monotonic() + GOODBYE_SECONDS)

    def _exchange(self) -> None:
        """Wait for messages or for something to do; then take everything in, send and do what follows."""
        received = []
        data = self._dealer.receive(self._core.sleep_seconds(_LOOK_SECONDS))
        while data is not None:
            received.append(data)
            data = self._dealer.receive(0) if len(received) < MESSAGES_AT_ONCE else None
        outgoing, actions = self._core.take(received)
        for message in outgoing:
            self._dealer.send(message)
        for action in actions:
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case Begin():
                self._slots[action.slot].begin(action.order)
            case Answer():
                for slot in self._slots:
                    slot.answer(action)
            case Stop():
                any(slot.stop((action.job, action.attempt)) for slot in self._slots)
            case Discard():
                assert self._drops is not None
                self._drops.submit(self._discard, action.group)
            case Joined():
                self._notify("worker.joined", {"worker": action.terms.worker})
            case Lost():
                self._notify("worker.lost", {})
            case Refused():
                raise WorkerRefused(f"the sentinel refused this worker: {action.message}", why=action.code)

    def _discard(self, group: Sequence[Key]) -> None:
        """Remove what a survey left; a sink that keeps its part has files that nobody will name."""
        job, attempt = group[0]
        try:
            drop_spilled(job_folder(self._tools.scratch, job, attempt), job, attempt, self._tools.open_sink)
        except (CasparianError, OSError) as exc:
            self._notify("worker.kept", {"job": job, "attempt": attempt, "message": str(exc)})

        def stopped(core: WorkerCore, now: float) -> None:
            for key in group:
                core.stopped(*key, now)

        self._core.tell(stopped)

    def _open(self) -> None:
        shutil.rmtree(self._tools.scratch, ignore_errors=True)  # what a killed worker left
        try:
            self._tools.scratch.mkdir(mode=0o700, parents=True)
        except OSError as exc:
            raise HomeUnavailable(
                "a worker has no place for what it keeps meanwhile",
                where=str(self._tools.scratch),
                why="the disk is full" if exc.errno in (errno.ENOSPC, errno.EDQUOT) else exc.strerror or str(exc),
                fix="free some space, or make the folder writable, then repeat the command",
            ) from exc
        self._slots = [Slot(number, self._core, self._tools) for number in range(self._number_of_slots)]
        self._drops = ThreadPoolExecutor(1, "discards")

    def _end(self) -> None:
        """Nothing of this worker is alive or kept afterwards but what is sealed."""
        assert self._drops is not None
        for slot in self._slots:
            slot.end()
        for slot in self._slots:
            slot.join()
        self._drops.shutdown(cancel_futures=True)
        if self._tools.zygotes is not None:
            self._tools.zygotes.close()
        self._dealer.close()
        self._is_running = False
        shutil.rmtree(self._tools.scratch, ignore_errors=True)
