"""What is known about a proposal when it is decided: evidence, verdicts, impact, and the digest over all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from casparian_flow.core.drift import Axis
from casparian_flow.core.hashing import canonical_json, digest_of_json
from casparian_flow.core.proposals import Kind, Risk


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the change alone. `because` has one reason for each no."""

    reads_old: bool
    """Every row that fits today fits afterwards."""
    keeps_readers: bool
    """Who reads the table today can go on as before."""
    because: tuple[str, ...] = ()


class Empirical(msgspec.Struct, frozen=True, kw_only=True):
    """What the retained rows and bytes say. `contradicts`: where they say otherwise than the verdicts.

    `erased_files` were not read, since rows of them were erased for good: what else they brought stays as it is.
    """

    rows_checked: int = 0
    newly_failing: int = 0
    released: int = 0
    still_failing: int = 0
    files_read: int = 0
    bytes_read: int = 0
    erased_files: int = 0
    is_complete: bool = False
    contradicts: tuple[str, ...] = ()


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is read again when the change is applied, and what its dry run brought to a table.

    Without a `table` it is that of the proposal; `contract` is the hash of the one that judged the rows, where the
    proposal is not about one.
    """

    version: int
    job: int
    accepted: int
    quarantined: int
    row_digest: str | None = None
    table: str = ""
    contract: str = ""


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What applying it does. `fills`: rescued cells that become values; `keeps_clear_history`: see `reclassify`."""

    released: int = 0
    fills: int = 0
    newly_failing: int = 0
    files_reopened: int = 0
    files_rekeyed: int = 0
    bytes_to_read: int = 0
    outputs: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    keeps_clear_history: bool = False
    replays: tuple[Promise, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one job says for a proposal: how many rows or values, and at most three of them, treated."""

    job: int
    source_hash: str
    rows: int
    samples: tuple[str, ...] = ()


MOST_SAMPLES = 3


def text_of(part: Verdicts | Empirical | Impact | None) -> str | None:
    """A part of the proof as the canonical text that is kept."""
    return None if part is None else canonical_json(msgspec.to_builtins(part))


def evidence_digest(evidence: Iterable[Evidence]) -> str:
    """What the evidence came to, whatever the order in which it came and the jobs that found it."""
    return digest_of_json(
        ["evidence", sorted([each.source_hash, each.rows, sorted(each.samples)] for each in evidence)]
    )


def merged_samples(known: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """At most three of them, the same whatever came first."""
    return tuple(sorted({*known, *more})[:MOST_SAMPLES])


def cause_signature(table: str, axis: Axis, subject: str, detail: str = "") -> str:
    """By what drift finds the draft that it belongs to.

    `subject` is the column or the output, `detail` the name of a rule, the contract's type of a column on the axis
    TYPE, else nothing.
    """
    return digest_of_json(["cause", table, axis, subject, detail])


def first_contract_signature(table: str) -> str:
    """The cause of every proposal of a table's first contract."""
    return cause_signature(table, Axis.NEW_OUTPUT, table)


def new_output_signature(table: str) -> str:
    """The cause of the draft of a table for outputs that their parser does not declare."""
    return cause_signature(table, Axis.NEW_OUTPUT, table, "undeclared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Everything that an approval is bound to, each part as the text that is kept.

    `round` counts how often the proposal was proposed: a decision about an earlier round is none about this one, even
    where nothing else changed.
    """

    home: str
    proposal: int
    round: int
    kind: Kind
    table: str | None
    subject: str
    proposed_by: str
    base_digest: str
    body: str
    evidence_digest: str
    verdicts: str | None
    empirical: str | None
    impact: str | None
    risk: Risk

    @property
    def digest(self) -> str:
        """What is signed. Two proposals that differ in anything have different ones."""
        parts = [None if text is None else json.loads(text) for text in (self.verdicts, self.empirical, self.impact)]
        return digest_of_json(
            [
                "proposal",
                2,
                self.home,
                self.proposal,
                self.round,
                self.kind,
                self.table,
                self.subject,
                self.proposed_by,
                self.base_digest,
                json.loads(self.body),
                self.evidence_digest,
                *parts,
                self.risk,
            ]
        )
