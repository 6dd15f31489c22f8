"""Claims, permits and records jobs over a flushed database, and prints how it went: FOLDER JOBS SLOTS SIZE."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from pathlib import Path

from benchmarks.ours.queued import Talker, open_loop, queue_jobs


class Room:
    """The line to workers that answer at once, in the thread of the sentinel."""

    def __init__(self, talkers: list[Talker]) -> None:
        self._talkers = {each.peer: each for each in talkers}
        self._said = deque((each.peer, word) for each in talkers for word in each.join())
        self.is_closed = False

    def receive(self, timeout: float) -> tuple[bytes, bytes] | None:
        """The next message."""
        return self._said.popleft() if self._said else None

    def send(self, peer: bytes, data: bytes) -> bool:
        """Have the worker answer."""
        self._said += [(peer, word) for word in self._talkers[peer].answer(data)]
        return True

    def name_of(self, peer: bytes) -> str | None:
        """None: they are threads of this process."""
        return None

    def wake(self) -> None:
        """Nobody sleeps."""

    def close(self) -> None:
        """Nothing to give up."""


def main() -> None:
    folder, count, slots = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    database = queue_jobs(folder / "state.sqlite3", count, file_size=int(sys.argv[4]))
    talker = Talker("w", slots)
    loop = open_loop(database, Room([talker]))
    cpu = time.process_time()
    began = time.perf_counter()
    commits = 0
    while not loop.core.is_over(1):
        loop.step(0)
        commits += 1
    seconds = time.perf_counter() - began
    if talker.done != count:
        raise RuntimeError(f"{talker.done} of {count} jobs were done")
    print(json.dumps({"seconds": seconds, "commits": commits, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
