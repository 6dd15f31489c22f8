"""What differs between what the targets have of some bytes and what a run would bring them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from casparian_flow.core.artifacts import ParserArtifact
from casparian_flow.core.outputs import SinkTarget
from casparian_flow.core.reasons import RunReason
from casparian_flow.core.routes import Routes

Change = tuple[RunReason, str]
"""The reason code and the reason in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One materialization of a job that some current rows are of."""

    source_hash: str
    parser: str
    artifact_hash: str
    env_hash: str
    config_hash: str
    sink_uri: str
    sink_mode: str
    table: str
    contract_hash: str
    is_current: bool
    job: int
    version: int
    proof: str = ""
    """What showed that its rows are those of another making, under which it counts now; empty if nothing did."""
    modes: str = ""
    """The digest of the drift modes under which its rows were judged; empty if none of them mattered."""
    repairs: str = ""
    """Digest of the repairs that it took in."""

    def is_of(self, artifact: ParserArtifact, config: str) -> bool:
        """Whether the same parser, environment and options would be used now."""
        made_by = (self.artifact_hash, self.env_hash, self.config_hash)
        return made_by == (artifact.artifact_hash, artifact.env_hash, config)


EVERY_OTHER = ""
"""Under which the modes stand of all tables that have none of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Under what a file would be read now."""

    artifact: ParserArtifact
    config: str
    contracts: Mapping[str, str]
    """The hashes of the contracts in force, by table."""
    modes: Mapping[str, str]
    """The digests of the effective drift modes, by table."""
    repairs: str = ""
    """The digest of the values that persons put right in it."""


def changed_since(done: Sequence[Done], routes: Routes, now: Conditions) -> Change | None:
    """Why bytes that were read before by this parser, oldest first, must be read again; None if nothing differs.

    Nothing differs when every table that they bring has current rows in every target of its, made by the same parser,
    environment and options under the contract in force, with the values that persons put right, and judged by the drift
    modes in force wherever these mattered.
    """
    alike = [d for d in done if d.is_of(now.artifact, now.config)]
    tables = {d.table for d in alike if d.job == alike[-1].job} if alike else {d.table for d in done}
    for table in sorted(tables):
        for target in routes.targets_of(table):
            change = _changed_in(target, table, done, now)
            if change is not None:
                return change
    return None


def _changed_in(target: SinkTarget, table: str, done: Sequence[Done], now: Conditions) -> Change | None:
    here = [d for d in done if (d.sink_uri, d.sink_mode, d.table) == (target.uri, target.mode, table) and d.is_current]
    if not here:
        what = table or "an empty result"
        return RunReason.TARGET_CHANGED, f"{what} is not in {target.uri} in mode {target.mode}"
    last = here[-1]
    if last.artifact_hash != now.artifact.artifact_hash:
        return RunReason.PARSER_CHANGED, f"{now.artifact.name} changed since job {last.job}"
    if last.env_hash != now.artifact.env_hash:
        return RunReason.ENV_CHANGED, f"the environment changed since job {last.job}"
    if last.config_hash != now.config:
        return RunReason.CONFIG_CHANGED, f"the table asked for, or an option, is not that of job {last.job}"
    if last.contract_hash and now.contracts.get(table) != last.contract_hash:
        return RunReason.CONTRACT_CHANGED, f"the contract of {table} changed since job {last.job}"
    if last.modes and modes_of(now.modes, table) != last.modes:
        return RunReason.CONFIG_CHANGED, f"the drift modes of {table} changed since job {last.job}"
    if last.repairs != now.repairs:
        return RunReason.QUARANTINE_REOPENED, f"a repair was made or revoked since job {last.job}"
    return None


def modes_of(modes: Mapping[str, str], table: str) -> str:
    """The digest of the effective modes of a table."""
    return modes.get(table, modes[EVERY_OTHER])
