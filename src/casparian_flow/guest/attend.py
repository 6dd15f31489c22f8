"""A guest's whole life: it opens the environment, takes its order, shuts the doors and parses."""

from __future__ import annotations

import os
import select
import sys
from typing import Any

from casparian_flow.guest import shield, wire
from casparian_flow.guest.one_core import one_core


def attend(socket: int, life: int, log: int, site: list[str]) -> None:
    """Serve the host at the other end of `socket` until it kills this process or goes away.

    The environment is opened before there is an order: until then no code of a parser is known here.
    """
    os.set_inheritable(log, False)
    sys.path.extend(site)

    with one_core():
        from casparian_flow.guest import runner  # noqa: PLC0415 - needs the environment

    load_ahead(socket)
    line, order = begin(socket, life)
    shield.open_log(log)
    greet(line)
    runner.run(line, order)


def load_ahead(socket: int) -> None:
    """While nothing has come over the line, load what most parsers import; one with an order does without."""
    if not select.select([socket], [], [], 0)[0]:
        import pyarrow.compute  # noqa: F401, PLC0415 - needs the environment


def begin(socket: int, life: int) -> tuple[wire.Wire, Any]:
    """The line to the host and the order that came over it; from now on this process is bound by its limits."""
    for fd in (socket, life):
        os.set_inheritable(fd, False)
    shield.die_with_host(life)
    shield.adopt_orphans()
    line = wire.Wire(socket)
    order = line.receive_order()
    shield.limit(order["limits"])
    os.chdir(order["folder"])
    return line, order


def greet(line: wire.Wire) -> None:
    """Say which protocol is spoken, before anything of the parser runs."""
    line.send(wire.Kind.HELLO, {"protocol": wire.PROTOCOL, "python": sys.version.split()[0]})
    line.flush()
