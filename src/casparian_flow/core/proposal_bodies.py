"""What a proposal would do, as the text that is kept and signed."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from casparian_flow.core.amendments import Op
from casparian_flow.core.contract_text import plain
from casparian_flow.core.contracts import Contract
from casparian_flow.core.hashing import canonical_json, digest_of_json
from casparian_flow.core.proposals import Kind


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """The base of what is to be done; the text of it is kept and is what the digest is about."""


class FirstContract(_Body, frozen=True, kw_only=True, tag="contract"):
    """Put this contract in force for a table that has none."""

    contract: Contract


class Amendment(_Body, frozen=True, kw_only=True, tag="amendment"):
    """Change the contract in force by these operations, in this order."""

    operations: tuple[Op, ...]


class Activation(_Body, frozen=True, kw_only=True, tag="parser"):
    """Let this artifact of a parser run."""

    parser: str
    version: str
    artifact_hash: str
    env_hash: str


class Selected(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The rejected rows of one job with one cause."""

    job: int
    cause: str


class Selection(_Body, frozen=True, kw_only=True, tag="selection"):
    """Read again, erase, or give up: rejected rows, or for a purge all rows of these bytes.

    `options` are those under which a replay reads, `parser` the id of the artifact that does; `repairs` the ids of the
    repairs that it brings.
    """

    entries: tuple[Selected, ...] = ()
    sources: tuple[str, ...] = ()
    options: dict[str, str] = {}
    repairs: tuple[int, ...] = ()
    parser: int | None = None


Body = FirstContract | Amendment | Activation | Selection


def body_text(body: Body) -> str:
    """The body as the canonical text that is kept."""
    if isinstance(body, FirstContract):
        return canonical_json({"kind": "contract", "contract": plain(body.contract)})
    return canonical_json(msgspec.to_builtins(body))


def body_of(text: str) -> Body:
    """The body that a text stands for; raises ValueError if it is none."""
    body: Body = msgspec.json.decode(text, type=Body)
    return body


def selection_digest(entries: Iterable[Selected], sources: Iterable[str] = ()) -> str:
    """The base of a purge or a waiver, and a part of that of a replay: what it is about, whatever the order."""
    return digest_of_json(["selection", sorted([each.job, each.cause] for each in entries), sorted(sources)])


def request_signature(kind: Kind, table: str, base_digest: str, body: Body) -> str:
    """The signature of what a person asks for: asking for the same twice is asking once."""
    return digest_of_json(["request", kind, table, base_digest, json.loads(body_text(body))])
