"""The keys by which work is recognised as done."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.ids import (
    ArtifactHash,
    ConfigHash,
    ContractHash,
    EnvHash,
    MaterializationKey,
    SourceHash,
    TargetKey,
)


@lru_cache(maxsize=1024)
def output_target_key(sink_uri: str, table: str, schema_hash: str, sink_mode: str) -> TargetKey:
    """Identity of a place where rows of one schema land in one mode; `sink_uri` is absolute."""
    return TargetKey(digest_of_json(["target", sink_uri, table, schema_hash, sink_mode]))


def config_hash(options: Mapping[str, str], table: str | None) -> ConfigHash:
    """Digest of what a person configured for a run that changes its rows: options, and the table if one was named."""
    return ConfigHash(digest_of_json(["config", dict(options), table]))


@lru_cache(maxsize=4096)
def materialization_key(
    target: TargetKey,
    source: SourceHash,
    artifact: ArtifactHash,
    environment: EnvHash,
    contract: ContractHash,
    config: ConfigHash,
) -> MaterializationKey:
    """Identity of the proof that these bytes reached that target through that parser."""
    return MaterializationKey(
        digest_of_json(["materialization", target, source, artifact, environment, contract, config])
    )
