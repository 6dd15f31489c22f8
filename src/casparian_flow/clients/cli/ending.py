"""The signals that end a command: the first one brings it down in order, and nothing breaks that off by mistake."""

from __future__ import annotations

import atexit
import os
import signal
import time

from casparian_flow.clients.cli.errors import INTERRUPTED, Terminated

PATIENCE_SECONDS = 5.0
"""So long after the first signal, one more ends the process as it is: what it leaves, the next start puts right."""
MOST_IGNORED = 1
"""So many signals in that time are taken for an impatient hand."""
AT_ONCE = (
    b"\nerror[interrupted]: ended at once\n  why   you asked again; the next command puts right what is half done\n"
)


class Ending:
    """A handler of SIGINT and SIGTERM. The first raises KeyboardInterrupt, or Terminated, in the main thread.

    A second one is ignored while the workers are brought down. A third one, or one that comes later than
    `PATIENCE_SECONDS`, ends the process at once.
    """

    def __init__(self) -> None:
        self._first_at: float | None = None
        self._ignored = 0

    def __call__(self, number: int, _frame: object) -> None:
        """Heed one signal."""
        now = time.monotonic()
        if self._first_at is None:
            self._first_at = now
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if self._ignored < MOST_IGNORED and now - self._first_at <= PATIENCE_SECONDS:
            self._ignored += 1
            return
        try:
            os.write(2, AT_ONCE)
        finally:
            os._exit(INTERRUPTED)


def heed_signals() -> None:
    """Let SIGINT and SIGTERM end this process as `Ending` does, but for one that whoever started it has ignored.

    Once all is done, while the interpreter is taken down, neither changes the exit code any more. How a process of ours
    ended is told to us, whoever started us.
    """
    ending = Ending()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, ending)
            atexit.register(signal.signal, number, signal.SIG_IGN)
    if hasattr(signal, "SIGCHLD"):  # where it is ignored, as some launchers leave it, every process ends with 0
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
