"""Parsers as artifacts: what is run, in which environment, with which trust."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from casparian_flow.core.ids import ArtifactHash, EnvHash


class ParserStatus(StrEnum):
    """Whether a parser may run by itself."""

    PENDING = "pending"
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    REVOKED = "revoked"
    REJECTED = "rejected"


class ParserOrigin(StrEnum):
    """Where a parser comes from."""

    SHIPPED = "shipped"
    PLUGIN = "plugin"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserArtifact:
    """One parser at one content. `path` is its file, or its folder with `parser.py`."""

    name: str
    version: str
    artifact_hash: ArtifactHash
    env_hash: EnvHash
    path: str
    origin: ParserOrigin
    status: ParserStatus

    @property
    def label(self) -> str:
        """`name@version+digest`, as lineage carries it; an unapproved parser says so."""
        digest = self.artifact_hash.partition(":")[2][:8]
        mark = "" if self.status is ParserStatus.ACTIVE else f" ({self.status})"
        return f"{self.name}@{self.version}+{digest}{mark}"
