"""What a guest does before it has an order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"
WAITING = """
import socket
import sys
from casparian_flow.guest.attend import load_ahead

host, guest = socket.socketpair()
host.sendall(sys.argv[1].encode())
load_ahead(guest.fileno())
print("pyarrow.compute" in sys.modules, len(guest.recv(1, socket.MSG_DONTWAIT)) if sys.argv[1] else 0)
"""


@pytest.mark.parametrize(("arrived", "said"), [("", "True 0"), ("an order", "False 1")])
def test_only_a_guest_that_waits_loads_ahead_what_parsers_import(arrived: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITING, arrived],
        env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr
