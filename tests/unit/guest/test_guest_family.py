"""Which processes are one's own, and which were left behind."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

from casparian_flow.guest.family import Family


def test_a_process_that_got_the_number_of_one_that_ended_is_still_known_when_that_is_forgotten() -> None:
    family = Family()
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    try:
        ended = family.start(lambda: SimpleNamespace(pid=sleeper.pid))
        family.start(lambda: sleeper)
        family.forget(ended)
        family.end()
        assert sleeper.wait(10) == -9
    finally:
        sleeper.kill()
        sleeper.wait()
