"""`casparian serve`: a sentinel that other machines reach too."""

from __future__ import annotations

from pathlib import Path

import click

from casparian_flow.clients.cli.commands.start import DETACH, DRAIN_TIMEOUT, WORKERS, start
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.core.errors import UsageError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("serve")
@click.option("--listen", metavar="HOST:PORT", help="Where commands and programs of other machines ask, over TLS.")
@click.option("--tls-cert", type=FILE, metavar="F", help="The certificate, with those that vouch for it.")
@click.option("--tls-key", type=FILE, metavar="F", help="Its key.")
@click.option("--name", "names", multiple=True, metavar="HOST", help="A name under which it is asked for; repeatable.")
@click.option("--workers-listen", metavar="HOST:PORT", help="Where workers of other machines join, with keys.")
@WORKERS
@DETACH
@DRAIN_TIMEOUT
@pass_face
def command(
    face: Face,
    listen: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    names: tuple[str, ...],
    workers_listen: str | None,
    workers: int | None,
    detach: bool,
    drain_timeout: float | None,
) -> int:
    """Hold the home as a service that other machines reach: by tokens over TLS, and workers by keys."""
    from casparian_flow.clients.service.wanted import Wanted

    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together")
    wanted = Wanted(
        workers=workers,
        drain_seconds=drain_timeout,
        listen=None if listen is None else _address(listen, "--listen"),
        names=names,
        certificate=tls_cert,
        key=tls_key,
        workers_listen=None if workers_listen is None else _address(workers_listen, "--workers-listen"),
    )
    if wanted.listen is None and wanted.workers_listen is None:
        raise UsageError("serve needs an address to listen at", why="without one, start does", fix="--listen HOST:PORT")
    return start(face, wanted, is_detached=detach)


def _address(text: str, option: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"{text!r} is not HOST:PORT", where=option)
    return host.removeprefix("[").removesuffix("]"), int(port)
