"""Columns that are closed after files were read: what the home says of their values in words is closed with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.amendments import Add, Op, Relax, Tighten
from casparian_flow.core.closed_parsers import meets_closed_values
from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Axis
from casparian_flow.core.quarantine import ARITY, TOO_FEW, TOO_MANY, Code, QuarantineGroup
from casparian_flow.core.receipts import DriftNote, Receipt, VerdictNote
from casparian_flow.publish.discover import SHIPPED_FOLDER
from casparian_flow.publish.manifest import Manifest
from casparian_flow.schema.closed_verdicts import closed_verdict
from casparian_flow.schema.masks import NOT_DECLARED, mask, shape_of
from casparian_flow.schema.notes import without_value
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.treat import PASSED_ON
from casparian_flow.sentinel.governance.affected import operations_of
from casparian_flow.sentinel.queue.lanes import bases_of
from casparian_flow.store import closing as store
from casparian_flow.store.closing import Meeting, Said
from casparian_flow.store.scrubbing import spelled_columns

OWN_WORDS = frozenset(
    {
        "awaiting-approval",
        "cancelled",
        "contract-frozen",
        "environment-missing",
        "fenced",
        "interrupted",
        "over-tolerance",
        "quarantine-full",
        "source-changed",
        "source-unreadable",
        "tolerance-failed",
        "worker-lost",
    }
)
"""Codes of errors that say nothing but what is ours."""
OWN_MESSAGE = frozenset(
    {"parser-broke-protocol", "parser-crashed", "parser-timed-out", "sink-error", "sink-unavailable"}
)
"""Codes of errors whose reason may be told by somebody else."""
FOUND = ", found '"


def newly_closed(before: Contract | None, after: Contract) -> frozenset[str]:
    """The columns that may not be seen any more, by all names that they had; nobody could see those of before."""
    return _closed_names(after) - (frozenset[str]() if before is None else _closed_names(before))


def close_columns(
    connection: Connection, in_force: Mapping[str, Contract], after: Contract, *, by: str, now_ns: int
) -> set[int]:
    """Leave nothing in the store of values that `after` closes and the contracts in force before it did not.

    Inside the transaction in which `after` comes into force. The jobs of which a repair holds no more, since what
    it is to hold may be kept nowhere. Afterwards the file is to be written anew (`store.closings.due`).
    """
    if not newly_closed(in_force.get(after.table), after):
        return set()
    told = _Told({**in_force, after.table: after})
    return store.close(connection, after.table, _meeting(connection, in_force, after), told, by=by, now_ns=now_ns)


def _closed_names(contract: Contract) -> frozenset[str]:
    return frozenset(name for each in contract.columns if each.is_closed for name in (each.name, *each.aliases))


def _meeting(connection: Connection, in_force: Mapping[str, Contract], after: Contract) -> Meeting:
    """The jobs whose parser may have come upon the values, as `meets_closed_values` says of those to come."""
    named, by_file, loud = [], [], []
    for row in connection.execute(store.PARSERS):
        manifest = msgspec.json.decode(row.manifest, type=Manifest)
        if manifest.tables == "file":
            by_file.append(row.id)
        elif meets_closed_values(row.name, manifest.tables, manifest.outputs, {after.table: after}):
            named.append(row.id)
            if not meets_closed_values(row.name, manifest.tables, manifest.outputs, in_force):
                loud.append(row.id)
    quiet = {base for contract in in_force.values() if contract.is_closed for base in bases_of(contract.table)}
    bases = bases_of(after.table)
    loud_bases = [base for base in bases if base not in quiet]
    return store.meeting(connection, named, by_file, bases, loud=loud, loud_bases=loud_bases)


class _Told:
    """What may be told under these contracts; `store.closing.Told`."""

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        self._open: set[tuple[str, str]] = set()
        self._said: dict[tuple[str, str], str] = {}
        for table, contract in contracts.items():
            for column in contract.columns:
                for name in (column.name, *column.aliases):
                    if column.is_closed:
                        self._said[table, name] = str(column.sensitivity)
                    else:
                        self._open.add((table, name))
            for rule in contract.rules:  # what a key of several columns is called where it fails
                key = table, ", ".join(rule.columns)
                hidden = [self._said[table, name] for name in rule.columns if (table, name) in self._said]
                if hidden:
                    self._said[key] = hidden[0]
                else:
                    self._open.add(key)
        self._rules = {(table, rule.name): rule for table, contract in contracts.items() for rule in contract.rules}

    def group(self, group: QuarantineGroup, path: str) -> QuarantineGroup:
        """A group that the parser at `path` brought."""
        if not group.column:
            is_own = group.code == Code.OUTPUT_UNDECLARED
            message = group.message if is_own else self._words(group.message, path)
            shape = group.shape if group.shape in (TOO_FEW, TOO_MANY) else ""
            return replace(group, message=message, sample=mask(group.sample, NOT_DECLARED), shape=shape)
        if (group.table, group.column) in self._open:
            return group
        said = self._class_of(group.table, group.column)
        sample = mask(group.sample, said)
        told, found, _ = group.message.partition(FOUND)
        message = f"{told}{found}{sample}'" if found else mask(group.message, said)
        return replace(group, message=message, sample=sample, shape=shape_of(said))

    def samples(self, table: str, column: str, samples: Sequence[str]) -> Sequence[str]:
        """Samples of a column."""
        if (table, column) in self._open:
            return samples
        return [mask(each, self._class_of(table, column)) for each in samples]

    def receipt(self, receipt: Receipt, path: str) -> Receipt:
        """A receipt of the parser at `path`."""
        return replace(
            receipt,
            groups=tuple(self.group(each, path) for each in receipt.groups),
            drift=tuple(self._drift(each) for each in receipt.drift),
            verdicts=tuple(self.verdict(each, path) for each in receipt.verdicts),
        )

    def verdict(self, verdict: VerdictNote, path: str) -> VerdictNote:
        """What the parser at `path` detected."""
        return closed_verdict(verdict, is_ours=_is_ours(path))

    def error(self, parser: str, code: str, message: str, why: str | None) -> tuple[str, str | None]:
        """What is told of an error, and why it happened."""
        if code in OWN_WORDS:
            return message, why
        if code in OWN_MESSAGE:
            return message, None
        return f"{parser}: its text is not kept, since tables of this parser have closed columns", None

    def repair(
        self, table: str, before: Mapping[str, str | None], after: Mapping[str, str | None]
    ) -> tuple[Mapping[str, str | None], Mapping[str, str | None]]:
        """What is told of a repair: of a record that could not be split `before` is all of it, whatever the column."""
        held = {name: _masked(text, self._class_of(table, name)) for name, text in before.items()}
        holds = {
            name: text if (table, name) in self._open else _masked(text, self._class_of(table, name))
            for name, text in after.items()
        }
        return held, holds

    def proposal(self, table: str | None, body: str, survey: bytes | None) -> Said:
        """What is left of a proposal; one that is about open columns alone stays as it is."""
        said = json.loads(body)
        about = {name for operation in operations_of(body) for name in self._columns_of(table, operation)}
        if about and all((table or "", name) in self._open for name in about):
            return Said(body=body, survey=survey, has_samples=True)
        seen = survey if not survey else self._survey(table or "", Survey.from_bytes(survey)).to_bytes()
        return Said(body=self._body(table or "", said, body), survey=seen, has_samples=False)

    def contract(self, table: str, body: str) -> str:
        """What is left of the text of a contract."""
        return self._body(table, json.loads(body), body)

    def _body(self, table: str, said: dict[str, Any], body: str) -> str:
        """The same text unless the note of a closed column repeats a value."""
        has_changed = False
        for column in spelled_columns(said):
            note = column.get("note", "")
            if (table, column.get("name", "")) not in self._open and (left := without_value(note)) != note:
                column["note"], has_changed = left, True
        return json.dumps(said, sort_keys=True, ensure_ascii=False) if has_changed else body

    def _columns_of(self, table: str | None, operation: Op) -> Iterable[str]:
        match operation:
            case Add():
                return [operation.column.name]
            case Relax(rule=str(name)) if (table or "", name) in self._rules:
                return self._rules[table or "", name].columns
            case Tighten(rule=rule) if rule is not None:
                return rule.columns
            case _:
                column = getattr(operation, "column", None)
                return [column] if isinstance(column, str) else []

    def _drift(self, note: DriftNote) -> DriftNote:
        if note.axis != Axis.NEW_OUTPUT and (note.table, note.column) in self._open:
            return note
        survey = self._survey(note.table, Survey.from_bytes(note.survey)).to_bytes() if note.survey else b""
        return replace(note, samples=tuple(self.samples(note.table, note.column, note.samples)), survey=survey)

    def _survey(self, table: str, survey: Survey) -> Survey:
        closed = {name for name in survey.columns if (table, name) not in self._open}
        told = {
            name: column.closed(self._class_of(table, name)) if name in closed else column
            for name, column in survey.columns.items()
        }
        return Survey(told, survey.rows)

    def _class_of(self, table: str, column: str) -> str:
        return self._said.get((table, column), NOT_DECLARED)

    def _words(self, said: str, path: str) -> str:
        """What a parser says of a record: one of ours repeats nothing of it in its own words."""
        if _is_ours(path) or ARITY.fullmatch(said):
            return re.sub(PASSED_ON, "", said)
        return mask(said, NOT_DECLARED)


def _masked(text: str | None, said: str) -> str | None:
    return None if text is None else mask(text, said)


def _is_ours(path: str) -> bool:
    return Path(path).is_relative_to(SHIPPED_FOLDER)
