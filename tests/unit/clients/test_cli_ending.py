"""What the first signal, the second and the third do to a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import casparian_flow

SOURCE = Path(casparian_flow.__file__).parents[1]
BROUGHT_DOWN = """
import os, signal, sys, time
from casparian_flow.clients.cli.ending import heed_signals
heed_signals()
try:
    print("at work", flush=True)
    time.sleep(60)
except KeyboardInterrupt as exc:
    print(type(exc).__name__, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("goes on", flush=True)
    sys.stdin.readline()
    print("down", flush=True)
    sys.exit(130)
"""


def a_command() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BROUGHT_DOWN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")])
def test_a_second_signal_does_not_break_off_what_the_first_one_began(number: signal.Signals, name: str) -> None:
    with a_command() as process:
        assert heard(process) == "at work"
        process.send_signal(number)
        assert (heard(process), heard(process)) == (name, "goes on")
        out, err = process.communicate("\n", timeout=60)
    assert (process.returncode, out, err) == (130, "down\n", "")


def test_a_third_signal_ends_the_command_at_once() -> None:
    with a_command() as process:
        assert heard(process) == "at work"
        process.send_signal(signal.SIGINT)
        assert (heard(process), heard(process)) == ("KeyboardInterrupt", "goes on")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("\nerror[interrupted]: ended at once\n")
