"""The host closes itself to processes of the same user."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHECK = """
import ctypes
from casparian_flow.worker.shield import shield_host
assert shield_host()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can")
def test_a_shielded_host_is_not_dumpable() -> None:
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", CHECK], env=environment, capture_output=True, check=True, text=True)
    assert done.stdout == "0\n"
