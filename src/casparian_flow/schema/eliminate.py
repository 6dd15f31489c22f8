"""Inference by elimination: which candidate types the values of one column have ruled out, and by which values.

The state of a column is a sum over its cells: merging states in any order, from any split of the rows, gives the
same state. For each candidate the smallest counter-examples by (source, row) are kept; once a candidate has all of
them, only earlier positions could change anything, so later cells are no longer looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.schema.candidates import KEYS, NUMERIC, TAGGED_TEMPORAL, TEMPORAL, Candidate, glance
from casparian_flow.schema.cells import Cells, Mask, as_mask
from casparian_flow.schema.masks import mask
from casparian_flow.schema.numbers import beyond_int64, measure_decimal, read_float64, read_int64
from casparian_flow.schema.positions import Positions
from casparian_flow.schema.readers import read_boolean, read_text
from casparian_flow.schema.tagged import are_strings, payload

EXAMPLES = 3
LONGEST_EXAMPLE = 80
NULL_WORDS = ("NULL", "NA", "\\N", "-", "N/A", "")
"""Texts that often stand for null: they rule types out, but are told apart so that the note can name them."""
_LONGEST_WORD = max(map(len, NULL_WORDS))
_PROBE = 64
"""The first cells of a column are looked at by themselves: they rule out most candidates, and spare the others that."""
_FEW = 6
"""Where no more candidates than this are open, a glance at a few cells hardly ever rules out another."""
_EXACT_FLOATS = 1 << 53
_WHOLE = "whole"


class Example(msgspec.Struct, frozen=True, order=True, array_like=True):
    """A value that ruled something out, and where it stands."""

    source: str
    row: int
    value: str


Examples = tuple[Example, ...]
SharedExamples = list[tuple[Examples, list[str]]]


class Word(msgspec.Struct, frozen=True, array_like=True):
    """How often a word for null was met, and where first."""

    count: int
    first: Example


class Elimination(msgspec.Struct):
    """What is known of one column's text. `tagged` cells are JSON values.

    `ruled` holds the counter-examples by candidate; `whole` and `scale` the most digits before and after the point
    while `decimal` is open; `zones` the two smallest UTC offsets while `timestamp_tz` is open.
    """

    tagged: bool = False
    cells: int = 0
    ruled: dict[str, Examples] = {}
    whole: int = 0
    scale: int = 0
    zones: list[str] = []
    words: dict[str, Word] = {}

    def shared(self) -> SharedExamples:
        """The counter-examples with the candidates that share them, in a fixed order."""
        groups: dict[Examples, list[str]] = {}
        for key, examples in self.ruled.items():
            groups.setdefault(examples, []).append(key)
        return sorted((examples, sorted(keys)) for examples, keys in groups.items())

    def closed(self, said: str) -> Elimination:
        """The same state with masks in place of values: it still says which types they leave open."""
        hidden = {
            examples: tuple(Example(each.source, each.row, mask(each.value, said)) for each in examples)
            for examples in set(self.ruled.values())
        }
        return msgspec.structs.replace(self, ruled={key: hidden[found] for key, found in self.ruled.items()})

    def is_open(self, key: str) -> bool:
        """Whether no value has ruled the candidate out."""
        return key not in self.ruled

    def add(self, column: pa.Array, rows: Positions) -> None:
        """Take in string cells; `rows` are their positions in ascending order."""
        if column.null_count:
            rows = rows[as_mask(column.is_valid())]
            column = column.drop_null()
        parts = (slice(None),) if self.cells else (slice(0, _PROBE), slice(_PROBE, None))
        self.cells += len(column)
        for part in parts:
            if len(places := rows[part]) and self._wanted(places):
                self._learn(Cells(column[part]), places)
        self._settle()

    def merge(self, other: Elimination) -> Elimination:
        """The state of both columns' cells together."""
        if not (self.cells and other.cells):
            known = self if self.cells else other
            return msgspec.structs.replace(known, ruled=dict(known.ruled), words=dict(known.words))
        words = {**self.words, **other.words}
        for word in self.words.keys() & other.words.keys():
            mine, theirs = self.words[word], other.words[word]
            words[word] = Word(mine.count + theirs.count, min(mine.first, theirs.first))
        merged = Elimination(
            tagged=self.tagged,
            cells=self.cells + other.cells,
            ruled=_merged(self.ruled, other.ruled),
            whole=max(self.whole, other.whole),
            scale=max(self.scale, other.scale),
            zones=sorted({*self.zones, *other.zones})[:2],
            words=words,
        )
        merged._settle()
        return merged

    def _settle(self) -> None:
        """Forget what only open candidates need, so that equal sets of cells leave equal states."""
        if not self.is_open("decimal"):
            self.whole = self.scale = 0
            if not self.is_open("float64"):
                self.ruled.pop(_WHOLE, None)
        if not self.is_open("timestamp_tz"):
            self.zones = []
        if not any(map(self.is_open, KEYS[self.tagged])):
            self.words = {}

    def _wanted(self, rows: Positions) -> set[str]:
        """The candidates about which cells from the first of these positions on could teach something."""
        place = rows.place(0)
        keys = KEYS[self.tagged]
        if self.is_open("float64") or self.is_open("decimal"):
            keys = (*keys, _WHOLE)
        wanted = set()
        for key in keys:
            known = self.ruled.get(key, ())
            if len(known) < EXAMPLES or (known[-1].source, known[-1].row) >= place:
                wanted.add(key)
        return wanted

    def _learn(self, cells: Cells, rows: Positions) -> None:
        if not self.tagged:
            cells, rows = self._set_words_aside(cells, rows)
        if not len(cells):
            return
        wanted = self._wanted(rows)
        if len(wanted) > _FEW:
            wanted -= self._glance(cells, rows, wanted)
        failures = self._failures_tagged(cells, wanted) if self.tagged else self._failures(cells, wanted)
        for key, failed in failures:
            if failed is not None:
                self._rule_out(key, failed, cells, rows)

    def _glance(self, cells: Cells, rows: Positions, wanted: set[str]) -> set[str]:
        """Let the first few cells alone rule out what none of them could be: most candidates never need more."""
        few = [rows.place(at) for at in range(min(EXAMPLES + 1, len(rows)))]
        if sorted(set(few)) != few:  # rows repeat: which cells come first is not known here
            return set()
        texts = cells.array[:EXAMPLES].to_pylist()
        possible = frozenset().union(*(glance(text, tagged=self.tagged) for text in texts))
        examples = tuple(
            Example(*place, text[:LONGEST_EXAMPLE]) for place, text in zip(few[:EXAMPLES], texts, strict=True)
        )
        ruled = wanted - possible - {_WHOLE}
        for key in ruled:
            self.ruled[key] = _smallest(self.ruled.get(key, ()), examples)
        return ruled

    def _rule_out(self, key: str, failed: Mask, cells: Cells, rows: Positions) -> None:
        at = np.flatnonzero(failed)
        found: set[Example] = set()
        count, seen = EXAMPLES, 0
        while len(found) < EXAMPLES and seen < len(at):  # the same bytes may come twice, and say everything twice
            first = rows.up_to(at, int(at[min(count, len(at)) - 1]))  # all cells of the last row compete
            found |= {
                Example(*rows.place(row), str(cells.array[row].as_py())[:LONGEST_EXAMPLE])
                for row in first[seen:].tolist()
            }
            count, seen = 2 * count, len(first)
        if found:
            self.ruled[key] = _smallest(self.ruled.get(key, ()), tuple(sorted(found)[:EXAMPLES]))

    def _set_words_aside(self, cells: Cells, rows: Positions) -> tuple[Cells, Positions]:
        first, lengths = cells.byte(0), cells.lengths
        begins = (first == ord("N")) | (first == ord("\\")) | ((first == ord("-")) & (lengths == 1))
        suspects = (lengths == 0) | (begins & (lengths <= _LONGEST_WORD))
        if not suspects.any():
            return cells, rows
        at = np.flatnonzero(suspects)
        texts = cells.array.take(pa.array(at))
        known = as_mask(pc.is_in(texts, value_set=pa.array(NULL_WORDS)))
        for word in pc.unique(texts.filter(pa.array(known))).to_pylist():
            places = at[as_mask(pc.equal(texts, word))]
            found = Word(len(places), Example(*rows.place(int(places[0])), word))
            old = self.words.get(word)
            self.words[word] = Word(old.count + found.count, min(old.first, found.first)) if old else found
        keep = np.ones(len(cells), np.bool_)
        keep[at[known]] = False
        return (cells, rows) if keep.all() else (cells.where(keep), rows[keep])

    def _failures(self, cells: Cells, wanted: set[str]) -> Iterator[tuple[str, Mask | None]]:
        """For each wanted candidate, which plain cells rule it out."""
        yield from self._number_failures(cells, wanted)
        if "boolean" in wanted:
            yield "boolean", read_boolean(cells).failed
        for candidate in TEMPORAL:
            if candidate.key in wanted:
                yield candidate.key, self._temporal(cells, candidate)

    def _temporal(self, cells: Cells, candidate: Candidate) -> Mask | None:
        failed = read_text(cells, _parsed(candidate.type), candidate.format).failed
        if failed is None and candidate.type == "timestamp_tz" and self.is_open("timestamp_tz"):
            self.zones = sorted({*self.zones, *_zones(cells)})[:2]
        return failed

    def _number_failures(self, cells: Cells, wanted: set[str]) -> Iterator[tuple[str, Mask | None]]:
        if not wanted.intersection((*NUMERIC, _WHOLE)):
            return
        if "int64" in wanted:
            found = read_int64(cells)
            if found.failed is None:
                yield from self._whole_numbers(cells, found.values, wanted)
                return
            yield "int64", found.failed
        is_number = False
        if "float64" in wanted:
            floats = read_float64(cells)
            is_number = floats.failed is None
            yield "float64", floats.failed
        if "decimal" in wanted:
            failed, whole, scale = measure_decimal(cells, are_numbers=is_number)
            self.whole, self.scale = max(self.whole, whole), max(self.scale, scale)
            yield "decimal", failed
        if _WHOLE in wanted:
            yield _WHOLE, beyond_int64(cells)

    def _whole_numbers(self, cells: Cells, values: pa.Array, wanted: set[str]) -> Iterator[tuple[str, Mask | None]]:
        """What columns of whole numbers within int64 mean to the wider types."""
        extremes = pc.min_max(values).as_py()
        low, high = extremes["min"], extremes["max"]
        if "float64" in wanted and not -_EXACT_FLOATS <= low <= high <= _EXACT_FLOATS:
            yield "float64", read_float64(cells).failed
        self.whole = max(self.whole, len(str(abs(low))), len(str(abs(high))))

    def _failures_tagged(self, cells: Cells, wanted: set[str]) -> Iterator[tuple[str, Mask | None]]:
        """The same for JSON values: texts rule out numbers and booleans, and the other way round."""
        strings = are_strings(cells)
        if strings.all():
            yield from self._one_kind(payload(cells), wanted, strings=True)
        elif not strings.any():
            yield from self._one_kind(cells, wanted, strings=False)
        else:
            for mask, are_texts in ((strings, True), (~strings, False)):
                part = payload(cells.where(mask)) if are_texts else cells.where(mask)
                for key, failed in self._one_kind(part, wanted, strings=are_texts):
                    if failed is not None:
                        spread = np.zeros(len(cells), np.bool_)
                        spread[mask] = failed
                        yield key, spread

    def _one_kind(self, cells: Cells, wanted: set[str], *, strings: bool) -> Iterator[tuple[str, Mask | None]]:
        everything = np.ones(len(cells), np.bool_)
        if strings:
            for key in wanted.intersection((*NUMERIC, "boolean")):
                yield key, everything
            for candidate in TAGGED_TEMPORAL:
                if candidate.key in wanted:
                    yield candidate.key, self._temporal(cells, candidate)
            return
        yield from self._number_failures(cells, wanted)
        if "boolean" in wanted:
            yield "boolean", read_boolean(cells).failed
        for key in wanted.intersection(("string", *(candidate.key for candidate in TAGGED_TEMPORAL))):
            yield key, everything


@cache
def _parsed(name: str) -> ColumnType:
    return parse_type("timestamp_tz(UTC)" if name == "timestamp_tz" else name)


def _zones(cells: Cells) -> list[str]:
    """The distinct UTC offsets of cells that all end in one, as `UTC` or `+02:00`."""
    if (cells.byte(-1) == ord("Z")).all():
        return ["UTC"]
    tails = pc.unique(pc.utf8_slice_codeunits(cells.array, -6, None)).to_pylist()
    return sorted({_zone(tail) for tail in tails})


def _zone(tail: str) -> str:
    if tail.endswith("Z"):
        return "UTC"
    sign = max(tail.rfind("+"), tail.rfind("-"))
    digits = tail[sign + 1 :].replace(":", "").ljust(4, "0")
    zone = f"{tail[sign]}{digits[:2]}:{digits[2:]}"
    return "UTC" if digits == "0000" else zone


def _smallest(mine: Examples, theirs: Examples) -> Examples:
    return tuple(sorted({*mine, *theirs})[:EXAMPLES]) if mine else theirs


def _merged(mine: dict[str, Examples], theirs: dict[str, Examples]) -> dict[str, Examples]:
    """The smallest examples of each candidate; most candidates share theirs, so equal pairs are merged once."""
    known: dict[tuple[int, int], Examples] = {}
    merged = {}
    for key in {**mine, **theirs}:
        one, other = mine.get(key, ()), theirs.get(key, ())
        pair = (id(one), id(other))
        if pair not in known:
            known[pair] = _smallest(one, other)
        merged[key] = known[pair]
    return merged
