"""Parsers: the artifacts that this home has seen, and their trust."""

from __future__ import annotations

from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.store.views import parsers as view


class ListParsers(Request, frozen=True, kw_only=True):
    """The newest artifact of every parser, or with `versions` every one."""

    versions: bool = False


class ParserEntry(Reply, frozen=True, kw_only=True):
    """One parser at one content in one environment; `jobs` is how often it ran."""

    name: str
    version: str
    status: str
    origin: str
    artifact_hash: str
    env_hash: str
    path: str
    jobs: int
    registered: str


class ParserList(Reply, frozen=True, kw_only=True):
    """Parsers by name, the newest artifact first."""

    parsers: list[ParserEntry]


def list_(reading: Reading, request: ListParsers) -> ParserList:
    """The parsers that this home has seen."""
    entries = [
        ParserEntry(
            name=row["name"],
            version=row["version"],
            status=row["status"],
            origin=row["origin"],
            artifact_hash=row["artifact_hash"],
            env_hash=row["env_hash"],
            path=row["path"],
            jobs=row["jobs"],
            registered=rfc3339(row["registered_at_ns"]),
        )
        for row in view.list_parsers(reading.connection)
    ]
    newest = {entry.name: entry for entry in reversed(entries)}
    return ParserList(parsers=entries if request.versions else list(reversed(newest.values())))


OPERATIONS = (
    Operation("parser.list", ListParsers, ParserList, Effect.READ, list_, "Parsers that this home has seen."),
)
