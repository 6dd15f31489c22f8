"""Rules about a row among others: keys that are there once, and keys that are found in another table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.schema.cells import Ints, Mask
from casparian_flow.schema.seen_keys import MOST_IN_MEMORY, KeyColumn, Keys, SeenKeys, key_column


class Known(Protocol):
    """Keys of rows that were committed before: those of a table as it was after its log entry `seq`."""

    @property
    def table(self) -> str:
        """The table."""

    @property
    def seq(self) -> int:
        """Its last log entry."""

    def has(self, keys: Keys) -> Mask:
        """Which of them are there."""


class RowFault(NamedTuple):
    """Rows that break a rule, what it expects in words, and their keys as a person reads them."""

    rule: Rule
    expected: str
    rows: Ints
    observed: pa.Array


class RowRules:
    """The row rules of a contract, asked of the rows of one job in their order.

    Of rows with the same key the first one that is accepted keeps it: a rejected row claims no key. A row without a
    key, since a part of it is null, is not asked.
    """

    def __init__(
        self,
        contract: Contract,
        folder: Path,
        known: Mapping[str, Known] | None = None,
        most: int = MOST_IN_MEMORY,
        treated: Callable[[str, pa.Array], pa.Array] | None = None,
    ) -> None:
        """`known` are by rule the keys of what was committed before.

        Where they are not known, a key is unique among the rows of the file, and a reference is not asked. `treated`
        gives the values of a column as they will stand in the table: keys are made of those.
        """
        self._treated = treated or _as_they_came
        self._known = known or {}
        self.asked = {each.table: each.seq for each in self._known.values()}
        """The tables whose keys are compared, with the last log entry of each."""
        self._rules = [
            rule
            for rule in contract.rules
            if rule.is_about_rows and (rule.kind is RuleKind.UNIQUE or rule.name in self._known)
        ]
        self._seen = {rule.name: SeenKeys(folder, most) for rule in self._rules if rule.kind is RuleKind.UNIQUE}

    def faults(self, columns: Mapping[str, pa.Array], rows: Ints) -> list[RowFault]:
        """What breaks which rule among the rows at these places, which fit in every other way; rule by rule.

        Those that break none claim their keys.
        """
        keys = {
            rule.name: key_column([self._treated(name, columns[name].take(pa.array(rows))) for name in rule.columns])
            for rule in self._rules
        }
        failed = {rule.name: np.zeros(len(rows), np.bool_) for rule in self._rules}
        for rule in self._rules:
            if rule.kind is RuleKind.REFERENCE:
                its = keys[rule.name]
                failed[rule.name] = its.is_whole & ~self._known[rule.name].has(its.digests)
        self._claim([rule for rule in self._rules if rule.kind is RuleKind.UNIQUE], keys, failed)
        found = []
        for rule in self._rules:
            if (broken := failed[rule.name]).any():
                texts = keys[rule.name].texts.filter(pa.array(broken))
                found.append(RowFault(rule, _expected(rule), rows[broken], texts))
        return found

    def _claim(self, rules: Sequence[Rule], keys: Mapping[str, KeyColumn], failed: dict[str, Mask]) -> None:
        """Tell which rows have a key that is taken, and take those of the others.

        Whether a row is accepted depends on all of its keys, and so which keys it takes does: rows that share a key
        with another are decided one by one, in order; all others, which are nearly all, at once.
        """
        if not rules:
            return
        refused = np.logical_or.reduce(list(failed.values()))
        taken = {rule.name: self._taken(rule, keys[rule.name]) for rule in rules}
        doubtful = np.logical_or.reduce(
            [taken[rule.name] | _is_repeated(keys[rule.name]) for rule in rules], initial=False
        )
        accepted = ~doubtful & ~refused
        claimed: dict[str, set[bytes]] = {rule.name: set() for rule in rules}
        for row in np.flatnonzero(doubtful):
            for rule in rules:
                its = keys[rule.name]
                if taken[rule.name][row] or (its.is_whole[row] and its.digests[row] in claimed[rule.name]):
                    failed[rule.name][row] = True
            if not refused[row] and not any(failed[rule.name][row] for rule in rules):
                accepted[row] = True
                for rule in rules:
                    if keys[rule.name].is_whole[row]:
                        claimed[rule.name].add(keys[rule.name].digests[row])
        for rule in rules:
            its = keys[rule.name]
            self._seen[rule.name].add(its.digests[accepted & its.is_whole])

    def _taken(self, rule: Rule, keys: KeyColumn) -> Mask:
        taken = self._seen[rule.name].has(keys.digests)
        if rule.scope is UniqueScope.TABLE and rule.name in self._known:
            taken |= self._known[rule.name].has(keys.digests)
        return taken & keys.is_whole


def _as_they_came(_name: str, values: pa.Array) -> pa.Array:
    return values


def _is_repeated(keys: KeyColumn) -> Mask:
    """Which rows share their key with another one."""
    _, which, counts = np.unique(keys.digests, return_inverse=True, return_counts=True)
    repeated: Mask = (counts[which] > 1) & keys.is_whole
    return repeated


def _expected(rule: Rule) -> str:
    if rule.kind is RuleKind.REFERENCE:
        return f"a row of {rule.table} with this {', '.join(rule.references)} ({rule.name})"
    return f"no other row of the {rule.scope} with this {', '.join(rule.columns)} ({rule.name})"
