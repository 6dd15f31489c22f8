"""Lets rows that are there count as made in another way, where that would bring the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from casparian_flow.core.backtests import Basis
from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.ids import ArtifactHash, ConfigHash, ContractHash, EnvHash, SourceHash
from casparian_flow.core.keys import materialization_key, output_target_key
from casparian_flow.core.outputs import SinkMode
from casparian_flow.store import equivalences
from casparian_flow.store.engine import AnyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """By what rows are made: the parser at its content, its environment and options, and the contract of the table."""

    artifact_hash: str
    env_hash: str
    config_hash: str
    contract_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One materialization (`store.equivalences.shown`), how it counts as made from now on, and the rows of that."""

    materialization: AnyRow
    made: Made
    row_digest: str


def rekey(
    connection: Connection,
    moves: Sequence[Move],
    basis: Basis,
    now_ns: int,
    *,
    backtest: int | None = None,
    proposal: int | None = None,
) -> int:
    """Give materializations the keys of what would bring the same rows, so that no run reads their bytes again.

    Rows, jobs and the logs of targets stay as they are and say what they said. Raises InvariantBroken where the rows
    would be others, and where one was changed since it was asked for.
    """
    rows: list[dict[str, Any]] = []
    for each in moves:
        old, made = each.materialization, each.made
        if old.row_digest != each.row_digest:
            raise InvariantBroken(f"rows of {old.table_name} in job {old.job_id} would be others")
        target = output_target_key(
            old.sink_uri, old.table_name, ContractHash(made.contract_hash), SinkMode(old.sink_mode)
        )
        key = materialization_key(
            target,
            SourceHash(old.source_hash),
            ArtifactHash(made.artifact_hash),
            EnvHash(made.env_hash),
            ContractHash(made.contract_hash),
            ConfigHash(made.config_hash),
        )
        if key == old.key:
            continue
        change = {
            "materialization": old.id,
            "old_key": old.key,
            "new_key": key,
            "to_target": target,
            "artifact": made.artifact_hash,
            "environment": made.env_hash,
            "config": made.config_hash,
            "contract": made.contract_hash,
        }
        proof = {
            "materialization_id": old.id,
            "job_id": old.job_id,
            "old_key": old.key,
            "new_key": key,
            "old_digest": old.row_digest,
            "new_digest": each.row_digest,
            "basis": basis,
            "backtest_id": backtest,
            "proposal_id": proposal,
            "at_ns": now_ns,
        }
        rows.append({"key": change, "proof": proof})
    moved = equivalences.move(connection, rows)
    if moved != len(rows):
        raise InvariantBroken(f"{len(rows) - moved} of {len(rows)} materializations were changed meanwhile")
    return moved


def rekey_by_receipt(
    connection: Connection, jobs: Iterable[int], table: str, contract_hash: str, proposal: int, now_ns: int
) -> int:
    """Let what jobs brought to a table count as made under the changed contract; how many materializations that are.

    Only for jobs that `affected` has found untouched: each of their rows was accepted, is accepted again, and is the
    same row.
    """
    moves = [
        Move(
            materialization=row,
            made=Made(
                artifact_hash=row.artifact_hash,
                env_hash=row.env_hash,
                config_hash=row.config_hash,
                contract_hash=contract_hash,
            ),
            row_digest=row.row_digest,
        )
        for row in equivalences.shown(connection, jobs, table)
    ]
    return rekey(connection, moves, Basis.RECEIPT, now_ns, proposal=proposal)
