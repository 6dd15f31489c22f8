"""The gate before every route: whose request it is, and whether it may come in at all."""

from __future__ import annotations

import ipaddress
import os
import pwd
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.datastructures import Headers
from starlette.types import Scope as HttpScope

from casparian_flow.clients.http.asker import EVERY, Asker
from casparian_flow.clients.http.paths import CWD_HEADER
from casparian_flow.clients.http.problems import HttpRefused
from casparian_flow.core.errors import ScopeMissing, Unauthenticated
from casparian_flow.core.scopes import Scope
from casparian_flow.operations.doing.service.doorkeeper import Doorkeeper

LOCAL_HOSTS = frozenset({"localhost", "casparian"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ONCE = ("host", "origin", "authorization", "content-type", "idempotency-key", "if-match", "last-event-id", CWD_HEADER)
SECRETS_IN_URLS = frozenset({"access_token", "token", "authorization", "api_key"})
LONGEST_CWD = 4096
LARGEST_HEAD = 32 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Checks where a request came from and who asks. `hosts` are the names that this service answers to over TCP."""

    home: Path
    hosts: frozenset[str]
    doorkeeper: Doorkeeper

    def check_place(self, scope: HttpScope) -> None:
        """Refuse what a page of another site made a browser send, and headers that can be read in two ways."""
        size = len(scope["raw_path"]) + len(scope["query_string"])
        if size + sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEAD:
            raise HttpRefused(431, f"path and headers together hold more than {LARGEST_HEAD} bytes")
        headers = Headers(scope=scope)
        for name in ONCE:
            if len(headers.getlist(name)) > 1:
                raise HttpRefused(400, f"the header {name} stands there twice", where=name)
        allowed = LOCAL_HOSTS if peer_of(scope) is not None else self.hosts
        if (host := host_name(headers.get("host", ""))) not in allowed:
            raise HttpRefused(403, "this service does not answer to that name", where="Host", why=repr(host)[:200])
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope['scheme']}://{headers['host']}":
            raise HttpRefused(403, "pages of other sites may not ask", where="Origin", why=repr(origin)[:200])
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise HttpRefused(403, "pages of other sites may not ask", where="Sec-Fetch-Site")
        if SECRETS_IN_URLS.intersection(_names(scope["query_string"])):
            raise HttpRefused(
                400, "a token does not belong into a URL", where="query", fix="Authorization: Bearer TOKEN"
            )

    def asker(self, scope: HttpScope) -> Asker:
        """Who asks; raises Unauthenticated. Looks into the database, so it is called in a thread."""
        headers = Headers(scope=scope)
        uid = peer_of(scope)
        if uid is not None:
            cwd = self._cwd(headers.get(CWD_HEADER))
            return Asker(name=user_of(uid), uid=uid, scopes=EVERY, cwd=cwd, transport="unix")
        if CWD_HEADER in headers:
            raise HttpRefused(400, "only a local asker stands anywhere", where=CWD_HEADER)
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret:
            raise Unauthenticated("a token is needed", where="Authorization")
        holder = self.doorkeeper.holder(secret.strip())
        if holder is None:
            raise Unauthenticated("the token is not known, expired or revoked", where="Authorization")
        return Asker(name=holder.name, uid=None, scopes=holder.scopes, cwd=self.home, transport="tcp")

    def _cwd(self, given: str | None) -> Path:
        if given is None:
            return self.home
        raw = unquote_to_bytes(given)
        if not raw.startswith(b"/") or b"\0" in raw or len(raw) > LONGEST_CWD:
            raise HttpRefused(400, "that is not an absolute path", where=CWD_HEADER)
        return Path(os.fsdecode(raw))


def require(asker: Asker, needed: Scope) -> None:
    """Raise ScopeMissing unless the asker may do what needs the scope."""
    if not asker.may(needed):
        held = " ".join(sorted(asker.scopes)) or "nothing"
        raise ScopeMissing(f"this needs the scope {needed}", why=f"{asker.name} holds {held}")


def peer_of(scope: HttpScope) -> int | None:
    """The user at the other end of a Unix socket, as the kernel says; None over TCP."""
    uid: int | None = scope["state"].get("uid")
    return uid


def host_name(header: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = header.rpartition(":")
    if colon and port.isascii() and port.isdigit() and not name.endswith(":"):
        header = name
    return header.removeprefix("[").removesuffix("]").lower()


def is_loopback(host: str) -> bool:
    """Whether an address to listen at can be reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hosts_for(bound: str | None, more: Collection[str] = ()) -> frozenset[str]:
    """The names that a service answers to that listens at an address."""
    return LOOPBACK | {host.lower() for host in (*more, *([bound] if bound else []))}


@cache
def user_of(uid: int) -> str:
    """The login name, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _names(query: bytes) -> set[str]:
    return {name.lower() for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
