"""Chooses whom a command asks: the sentinel that holds the home, or nobody, so that it does its work itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from casparian_flow.clients.cli.options import OWN_SECTION, Options
from casparian_flow.core.errors import SentinelMissing, UsageError
from casparian_flow.settings import Home

if TYPE_CHECKING:
    from casparian_flow.clients.remote.endpoint import Endpoint

SERVER_VARIABLE = "CASPARIAN_SERVER"


def sentinel_for(options: Options, home: Home, env: Mapping[str, str]) -> Endpoint | None:
    """Where to ask; None where the command does its work itself."""
    if options.embedded:
        if options.server or options.server_url:
            raise UsageError("--embedded and --server contradict each other", fix="leave one of them out")
        return None
    endpoint = _endpoint(options, home, env)
    foreign = [key for key in options.set if not key.startswith(OWN_SECTION)]
    if endpoint is not None and foreign:
        raise UsageError(
            f"--set {foreign[0]} has no effect: the sentinel has settings of its own",
            where=endpoint.name,
            why="it read them when it started, and they hold for everybody who asks it",
            fix=f"casparian config set {foreign[0]} {options.set[foreign[0]]}, then restart the sentinel",
        )
    return endpoint


def _endpoint(options: Options, home: Home, env: Mapping[str, str]) -> Endpoint | None:
    if url := options.server_url or ("" if options.server else env.get(SERVER_VARIABLE)):
        from casparian_flow.clients.remote.endpoint import endpoint_at

        return endpoint_at(url, env)
    if home.sentinel.exists():
        from casparian_flow.clients.remote.endpoint import SocketEndpoint
        from casparian_flow.clients.remote.presence import sentinel_of

        if presence := sentinel_of(home):
            return SocketEndpoint(Path(presence.control))
    if options.server:
        raise SentinelMissing("no sentinel holds this home", where=str(home.path))
    return None
