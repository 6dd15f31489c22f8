"""The proof that a file's bytes reached a table: one materialization for every target of every table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from casparian_flow.core.contracts import Contract
from casparian_flow.core.ids import ArtifactHash, ConfigHash, ContractHash, EnvHash, MaterializationKey, SourceHash
from casparian_flow.core.keys import materialization_key, output_target_key
from casparian_flow.core.outputs import Role, SinkMode
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.store.facts import Facts


def materialization_key_of(
    facts: Facts, sink: str, mode: SinkMode, table: str, contracts: Mapping[str, Contract]
) -> MaterializationKey:
    """By what the job's rows in that table of that sink are recognised as done."""
    contract_hash = _hash_of(contracts.get(table))
    return materialization_key(
        output_target_key(sink, table, contract_hash, mode),
        SourceHash(facts.source_hash),
        ArtifactHash(facts.artifact_hash),
        EnvHash(facts.env_hash),
        contract_hash,
        ConfigHash(facts.config_hash),
    )


def materializations_of(
    facts: Facts, receipt: Receipt, contracts: Mapping[str, Contract], now_ns: int
) -> list[dict[str, Any]]:
    """What a job brought, as rows of the store; a file without any rows still leaves one per default target.

    Without it the file would be read again each time.
    """
    counts = receipt.counts or (OutputCounts(table="", emitted=0, accepted=0, quarantined=0),)
    digests = {output.table: output.row_digest for output in receipt.outputs if output.role == Role.ACCEPTED}
    rows = []
    for count in counts:
        contract = contracts.get(count.table)
        for target in facts.routes.targets_of(count.table):
            rows.append(
                {
                    "key": materialization_key_of(facts, target.uri, target.mode, count.table, contracts),
                    "job_id": facts.id,
                    "target_key": output_target_key(target.uri, count.table, _hash_of(contract), target.mode),
                    "source_hash": facts.source_hash,
                    "parser_name": facts.parser_name,
                    "artifact_hash": facts.artifact_hash,
                    "env_hash": facts.env_hash,
                    "config_hash": facts.config_hash,
                    "sink_uri": target.uri,
                    "sink_mode": target.mode,
                    "table_name": count.table,
                    "contract_hash": _hash_of(contract),
                    "contract_version": contract.version if contract else 0,
                    "accepted": count.accepted,
                    "quarantined": count.quarantined,
                    "row_digest": digests.get(count.table, ""),
                    "modes": count.modes,
                    "is_current": True,
                    "recorded_at_ns": now_ns,
                }
            )
    return rows


@lru_cache(maxsize=256)
def _hash_of(contract: Contract | None) -> ContractHash:
    return contract.hash if contract else ContractHash("")
