"""How what `operations.service.worker_invitation` names is done."""

from __future__ import annotations

import platform
import secrets

from casparian_flow.core import presence
from casparian_flow.core.errors import UsageError
from casparian_flow.core.times import parse_span, rfc3339
from casparian_flow.core.workers import is_worker_name
from casparian_flow.operations.context import Acting
from casparian_flow.operations.service.worker_invitation import InviteWorker, WorkerInvited
from casparian_flow.protocol.endpoints import host_and_port, is_tcp
from casparian_flow.protocol.invitation import Invitation
from casparian_flow.protocol.keys import new_keys, sentinel_keys
from casparian_flow.settings import Home
from casparian_flow.store import admission

LONGEST_SECONDS = 30 * 86_400
_EVERYWHERE = ("*", "0.0.0.0", "[::]")  # noqa: S104 - what is not an address for others


def invite(acting: Acting, request: InviteWorker) -> WorkerInvited:
    """Make an invitation; an older one of the same worker, if it was not used, is withdrawn. Raises UsageError."""
    worker = request.worker or f"worker-{secrets.token_hex(3)}"
    if not is_worker_name(worker):
        raise UsageError(
            f"{worker!r} cannot name a worker", why="a name has 1 to 40 of a-z, A-Z, 0-9, ., _ and -, no sign first"
        )
    seconds = parse_span(request.valid)
    if not 0 < seconds <= LONGEST_SECONDS:
        raise UsageError(f"an invitation cannot be valid for {request.valid}", why="30 days are the most")
    endpoint = _endpoint(acting.home, request.address)
    server, card, now_ns = sentinel_keys(acting.home.keys), new_keys(), acting.clock()
    expires_ns = now_ns + seconds * 1_000_000_000
    with acting.database.transaction() as connection:
        admission.invite(
            connection,
            name=f"join-{worker}-{secrets.token_hex(4)}",
            worker=worker,
            public_key=card.public,
            now_ns=now_ns,
            expires_at_ns=expires_ns,
            actor=acting.actor,
        )
    invitation = Invitation(worker=worker, endpoint=endpoint, server=server.public, secret=card.secret)
    return WorkerInvited(
        worker=worker,
        address=endpoint.removeprefix("tcp://"),
        server_key=server.public,
        expires=rfc3339(expires_ns),
        invitation=invitation.to_text(),
    )


def _endpoint(home: Home, address: str | None) -> str:
    """Where the worker connects. A sentinel that listens everywhere is reached under its machine's name."""
    if address is not None:
        endpoint = f"tcp://{address.removeprefix('tcp://')}"
        host, port = host_and_port(endpoint)
        if host in _EVERYWHERE or not port:
            raise UsageError(f"{address!r} is no address that a worker can connect to", fix="write HOST:PORT")
        return endpoint
    for endpoint in _listening(home):
        if is_tcp(endpoint):
            host, port = host_and_port(endpoint)
            return f"tcp://{platform.node() if host in _EVERYWHERE else host}:{port}"
    raise UsageError(
        "no sentinel of this home listens for workers on other machines",
        where=str(home.path),
        fix="casparian serve --workers-listen HOST:PORT, or say where one will: --address HOST:PORT",
    )


def _listening(home: Home) -> tuple[str, ...]:
    try:
        said = home.sentinel.read_bytes()
    except FileNotFoundError:
        return ()
    return presence.decode(said, str(home.sentinel)).workers
