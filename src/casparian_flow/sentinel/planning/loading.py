"""A parser as it was registered: whoever is the sentinel later runs the jobs that name it."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.artifacts import ParserArtifact, ParserOrigin, ParserStatus
from casparian_flow.core.ids import ArtifactHash, EnvHash
from casparian_flow.publish.manifest import Manifest
from casparian_flow.sentinel.planning.registered import Registered
from casparian_flow.store import parsers as parser_store


def load_registered(connection: Connection, parser: int) -> Registered:
    """A parser by its id in the store."""
    row = parser_store.describe(connection, parser)
    artifact = ParserArtifact(
        name=row.name,
        version=row.version,
        artifact_hash=ArtifactHash(row.artifact_hash),
        env_hash=EnvHash(row.env_hash),
        path=row.path,
        origin=ParserOrigin(row.origin),
        status=ParserStatus(row.status),
    )
    return Registered(artifact, msgspec.json.decode(row.manifest, type=Manifest))
