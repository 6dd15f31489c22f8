"""A warm interpreter off which guests are forked: what they import first takes longer than most files that tests read.

Run as `python -I -S guest_nursery.py SHIM ADDRESS PATH...`, the first being the file that guests begin with. Whoever
connects gets a process of its own, which forks guests as a zygote does and ends, with all of them, when it is let go.
Unlike a zygote's those guests have their parser still to import, as one in a fresh interpreter has.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import types
from pathlib import Path
from typing import Any


def _open(shim: str) -> None:
    """Of the product only what guests have can be imported, as their own first file does it."""
    spec = importlib.util.spec_from_file_location("shim", shim)
    assert spec is not None and spec.loader is not None
    first = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(first)
    root = types.ModuleType(first.PRODUCT)
    root.__path__ = []
    sys.modules[first.PRODUCT] = root
    here = Path(shim).parent
    first.expose("sdk", str(here.parent / "sdk"))
    first.expose("guest", str(here))
    sys.argv[:] = [first.PRODUCT]


def _load() -> None:
    """What a guest loads until it has its order, and while it waits for it."""
    with importlib.import_module("casparian_flow.guest.one_core").one_core():
        importlib.import_module("casparian_flow.guest.runner")
    importlib.import_module("pyarrow.compute")
    gc.collect()
    gc.freeze()


class _Streams:
    """The streams of a guest, which nobody wrote to before it was one."""

    def __init__(self) -> None:
        self.log = os.dup(2)
        os.set_inheritable(self.log, False)

    def redirect(self, pipes: list[int]) -> None:
        """Let them flow into these pipes."""
        for pipe, stream in zip(pipes, (1, 2, self.log), strict=True):
            os.dup2(pipe, stream, inheritable=stream != self.log)
            os.close(pipe)


def _keep(line: socket.socket) -> None:
    """Fork guests for whoever connected."""
    from casparian_flow.guest import runner, shield, zygote

    class Keeper(zygote._Zygote):
        def _imported(self, parser: Any) -> types.ModuleType:
            return runner.import_module(parser)

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    streams: Any = _Streams()
    shield.open_log(streams.log)
    line.send(json.dumps({"pid": os.getpid()}).encode())
    nothing: Any = None
    Keeper(line, os.open(os.devnull, os.O_RDONLY), streams, nothing).serve()


def main() -> None:
    """Serve until standard input is closed."""
    shim, address, *site = sys.argv[1:]
    _open(shim)
    sys.path.extend(site)
    _load()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen(128)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.write(1, b"ready\n")
    while True:
        ready, _, _ = select.select([0, listener], [], [])
        if 0 in ready:
            return
        line, _ = listener.accept()
        if not os.fork():
            listener.close()
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nowhere, stream)
            os.close(nowhere)
            _keep(line)
            os._exit(0)
        line.close()


if __name__ == "__main__":
    main()
