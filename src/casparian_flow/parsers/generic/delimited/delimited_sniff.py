"""Which dialect the text of a sample is written in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from delimited_dialect import Dialect
from delimited_kinds import EMPTY, TEXT, kind_of
from delimited_records import Grammar, NeedMore, Record

Fields = list[bytes | None] | None
"""The fields of a record, None for a damaged one."""

Fixed = Mapping[str, str | None]
"""The parts of a dialect that options fix: `delimiter quote escape newline`."""

SAMPLE = 64 << 10
SAMPLE_RECORDS = 300
_CELLS = 1000
_FEW_STRAYS = 3
_MOST_TITLES = 8
_RARE = ":/_=*#!"

_PRIORS = {
    ",": 1.0,
    ";": 1.0,
    "\t": 1.1,
    "|": 1.05,
    "\x01": 1.0,
    "\x1f": 1.0,
    "~": 0.9,
    "^": 0.9,
    "\xa7": 0.9,
    "!": 0.7,
}
_PRIORS |= {":": 0.65, "#": 0.7, "*": 0.6, "/": 0.4, "=": 0.5, "_": 0.4, " ": 0.6}
_USUAL = (",", ";", "\t", "|")
_SPACED = (", ", "; ", " | ", " ; ", " , ", "| ", ": ")
_RUN = re.compile(r"""[^\w\s"'.\-+()\[\]{}/\\]{2,4}|\t{2,4}""")


@dataclass(frozen=True, slots=True)
class Guess:
    """One dialect with how well the sample reads in it."""

    dialect: Dialect
    score: float
    arity: int
    share: float = 0.0
    damaged: int = 0
    titles: int = 0


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The best dialect, and for each of its parts how sure that is and what came second."""

    dialect: Dialect
    arity: int
    delimiter_confidence: float
    delimiter_runner_up: str | None
    quote_confidence: float
    quote_runner_up: str | None


def sniff(sample: bytes, eof: bool, fixed: Fixed) -> Sniffed:
    """The dialect that makes the most regular table of the sample; `fixed` parts are not questioned."""
    text = sample.decode("utf-8", "replace")
    rated = [_rate(dialect, sample, eof) for dialect in _candidates(text, fixed)]
    rated = [_doubt_unused_quote(guess, rated, text) for guess in rated]
    rated = [_doubt_titles(guess, rated) for guess in rated]
    guesses = sorted((guess for guess in rated if _is_eligible(guess, rated, text)), key=lambda guess: -guess.score)
    best = guesses[0]
    other = next((g for g in guesses if g.dialect.delimiter != best.dialect.delimiter), None)
    same = [g for g in rated if g.dialect.delimiter == best.dialect.delimiter and g.dialect.quote != best.dialect.quote]
    other_quote = max(same, key=lambda guess: guess.score, default=None)
    return Sniffed(
        best.dialect,
        best.arity,
        _confidence(best, other),
        None if other is None else other.dialect.delimiter or "none",
        _confidence(best, other_quote) if other_quote else 0.9,
        (other_quote.dialect.quote if other_quote else None if best.dialect.quote else '"') or "none",
    )


def _confidence(best: Guess, other: Guess | None) -> float:
    if other is None or best.score <= 0:
        return 1.0 if best.score > 0 else 0.5
    return round(max(0.5, 1 - 0.5 * (other.score / best.score) ** 4), 3)


def _candidates(text: str, fixed: Fixed) -> list[Dialect]:
    lines = [line for line in islice(re.split(r"\r\n|\n|\r", text), SAMPLE_RECORDS) if line.strip()]
    delimiters = [fixed["delimiter"]] if "delimiter" in fixed else [None, *_delimiters(lines)]
    lone_cr = [True]
    alone = text.count("\r") - text.count("\r\n")
    if 0 < 5 * alone <= text.count("\n"):
        lone_cr = [True, False]
    if "newline" in fixed:
        lone_cr = [fixed["newline"] in ("cr", "mixed")]
    dialects = []
    for delimiter in delimiters:
        for quote in [fixed["quote"]] if "quote" in fixed else _quotes(text, delimiter):
            for escape in [fixed["escape"]] if "escape" in fixed else _escapes(text, delimiter, quote):
                for cr in lone_cr:
                    dialects.append(Dialect(delimiter, quote, escape, _leads(text, delimiter, quote), cr))
    return dialects


def _delimiters(lines: list[str]) -> list[str]:
    """What stands in a good part of the lines, and longer tokens where a single character never stands alone."""
    needed = max(1, len(lines) // 4)
    joined = "\n".join(lines)
    present = [d for d in (*_PRIORS, *_SPACED) if d in joined]
    found = [d for d in present if sum(d in line for line in lines) >= needed * (3 if d in _RARE else 1)]
    runs = Counter(run for line in lines for run in set(_RUN.findall(line)))
    found += [run for run, times in runs.most_common(4) if times > len(lines) // 2 and run not in found]
    return found


def _quotes(text: str, delimiter: str | None) -> list[str | None]:
    """The quote characters that stand at the edge of a field."""
    edge = re.escape(delimiter) if delimiter else r"(?!)"
    found: list[str | None] = []
    for quote in ('"', "'", "`", "\u201c"):
        if quote in text and re.search(rf"(?:^|[\r\n]|{edge})[ \t]*{quote}", text):
            found.append(quote)
    found = [quote for quote in found if quote != "\u201c"]
    if '"' in found:
        return [*found, None]
    return ['"', *found]


def _escapes(text: str, delimiter: str | None, quote: str | None) -> list[str | None]:
    if "\\" not in text:
        return [None]
    if (quote and "\\" + quote in text) or (delimiter and "\\" + delimiter in text):
        return [None, "\\"]
    return [None]


def _leads(text: str, delimiter: str | None, quote: str | None) -> bool:
    return bool(delimiter and quote and re.search(f"{re.escape(delimiter)}[ \t]+{re.escape(quote)}", text))


def records_of(grammar: Grammar, sample: bytes, eof: bool, limit: int = SAMPLE_RECORDS) -> list[Fields]:
    """The fields of the sample's records, None for a damaged line; blank lines are left out."""
    records: list[Fields] = []
    pos = 0
    while pos < len(sample) and len(records) < limit:
        try:
            record = grammar.read(sample, pos, eof)
        except NeedMore:
            found = grammar.line_end.search(sample, pos)
            if found is None or (len(records) > 10 and pos > len(sample) // 2):
                break  # the last record goes on after the sample
            record = Record(found.end(), None)
        fields = record.fields
        if fields is None or len(fields) > 1 or fields[0]:
            records.append(fields)
        pos = record.end
    return records or [None]


def _rate(dialect: Dialect, sample: bytes, eof: bool) -> Guess:
    whole = records_of(Grammar.of(dialect), sample, eof)
    records = _without_titles(whole, dialect)
    counts = Counter(len(fields) for fields in records if fields is not None)
    if not counts:
        return Guess(dialect, 0.0, 1)
    arity, most = max(counts.items(), key=lambda item: (item[1] * (item[0] > 1 or dialect.delimiter is None), item[0]))
    if dialect.delimiter is not None and arity < 2:
        return Guess(dialect, 0.0, 1)
    share = most / len(records)
    if dialect.delimiter is not None:
        share = max(share, 0.9 * _steadiness(records))
    width = 0.375 if dialect.delimiter is None else 1 - 1 / (arity + 0.6)
    rows = [fields for fields in records if fields is not None and len(fields) == arity]
    cells = [cell for row in rows[:: 1 + len(rows) * arity // _CELLS] for cell in row[:_CELLS]][: 2 * _CELLS]
    quote, foreign = dialect.quote.encode() if dialect.quote else None, _foreign(dialect.delimiter)
    cleanness = sum(_clean(cell, dialect, quote, foreign) for cell in cells) / max(1, len(cells))
    damage = sum(fields is None for fields in records) / len(records)
    score = share * width * (0.1 + 0.9 * cleanness) * (1 - 0.5 * damage)
    score *= 1.0 if dialect.delimiter is None else _PRIORS.get(dialect.delimiter, 1.0)
    score *= 0.999 if dialect.escape else 1.0
    score *= 1.0 if dialect.lone_cr else 0.999
    score *= 0.8 if dialect.quote is None else 1.0  # a few stray quotes do not make a file without quoting
    if arity > 2 and (_empty_columns(rows) > 0.4 or _is_torn(rows, dialect)):
        score *= 0.6
    damaged = sum(fields is None for fields in records)
    return Guess(dialect, score, arity, share, damaged, len(whole) - len(records))


def _without_titles(records: list[Fields], dialect: Dialect) -> list[Fields]:
    """The records from the first that is split at all, where only a few before it are not."""
    if dialect.delimiter is None:
        return records
    first = next((i for i, fields in enumerate(records[:_MOST_TITLES]) if fields and len(fields) > 1), 0)
    return records[first:] if len(records) - first > 1 else records


def _steadiness(records: list[Fields]) -> float:
    """The share of records as wide as the one before, which stays high where one table follows another."""
    widths = [0 if fields is None else len(fields) for fields in records]
    return sum(a == b > 1 for a, b in pairwise(widths)) / len(widths)


def _empty_columns(rows: list[list[bytes | None]]) -> float:
    """The share of columns that hold nothing but one mark, which a delimiter of several characters leaves behind."""
    columns = list(zip(*rows, strict=True))
    return sum(len(set(column)) == 1 and not (column[0] or b"").strip().isalnum() for column in columns) / len(columns)


def _is_torn(rows: list[list[bytes | None]], dialect: Dialect) -> bool:
    """Whether every second field of all rows, the header too, is what a longer delimiter has between its ends."""
    between = {cell for row in rows for cell in row[1::2]}
    if dialect.delimiter in (",", ";") or len(rows) < 2 or len(rows[0]) % 2 == 0 or len(between) != 1:
        return False
    mark = between.pop()
    return not mark or (len(mark) <= 2 and not mark.strip().isalnum() and len(mark.strip()) == len(mark))


def _is_eligible(guess: Guess, rated: list[Guess], text: str) -> bool:
    """A delimiter with spaces counts only where it never stands without them, no quotes only after much damage.

    Neither does a usual delimiter with the mark that most cells begin or end with.
    """
    delimiter = guess.dialect.delimiter
    if guess.dialect.quote is None:
        quoted = [g.damaged for g in rated if g.dialect.delimiter == delimiter and g.dialect.quote == '"']
        if quoted and min(quoted) < _FEW_STRAYS:
            return False
    if delimiter is None:
        return True
    if delimiter not in _SPACED:
        return len(delimiter) == 1 or not any(_reads_as_much(g, guess, text) for g in rated)
    bare = [g for g in rated if g.dialect.delimiter == delimiter.strip() and g.dialect.quote == guess.dialect.quote]
    return not any(
        g.share > guess.share or g.arity > guess.arity or (guess.titles and _takes_all(g, guess))
        for g in bare
        if g.share > 0.5
    )


def _takes_all(other: Guess, guess: Guess) -> bool:
    """Whether another dialect reads as good a table without leaving out a line above it."""
    return not other.titles and other.share >= guess.share


def _doubt_titles(guess: Guess, rated: list[Guess]) -> Guess:
    """Less for one that leaves out lines above the table where another takes them in."""
    if not guess.titles or not any(other.dialect.delimiter and _takes_all(other, guess) for other in rated):
        return guess
    return replace(guess, score=0.85 * guess.score)


def _reads_as_much(bare: Guess, run: Guess, text: str) -> bool:
    """Whether one mark of a run of several makes the same table and also stands alone, as in the header."""
    mark, several = bare.dialect.delimiter, run.dialect.delimiter
    if mark not in _USUAL or several is None or mark not in several:
        return False
    if set(several) == {mark}:  # doubled where fields are empty
        single = re.escape(mark)
        if len(re.findall(f"(?<!{single}){single}(?!{single})", text)) >= text.count("\n"):
            return True
    return bare.arity == run.arity and bare.share >= run.share and text.count(mark) > text.count(several)


def _clean(cell: bytes | None, dialect: Dialect, quote: bytes | None, foreign: tuple[bytes, ...]) -> float:
    """How much a cell looks like one value; `quote` and `foreign` are the dialect's."""
    kind = kind_of(cell)
    if kind == EMPTY:
        return 0.9
    assert cell is not None
    edge = cell.strip()
    if kind != TEXT:
        return 1.0 if edge == cell else 0.85
    if edge[:1] in (b'"', b"'") or edge[-1:] == b'"':
        return 0.15 if len(edge) > 1 and edge[:1] == edge[-1:] else 0.4
    if quote is not None and dialect.escape is None and quote in edge:
        return 0.3 if b"\\" + quote in edge else 0.6
    if dialect.delimiter != "\t" and b"\t" in edge:
        return 0.2
    for mark in foreign:
        if mark in edge:
            return 0.5
    return 0.6 if edge != cell else 0.75


def _doubt_unused_quote(guess: Guess, rated: list[Guess], text: str) -> Guess:
    """Less for a quote that does not occur where another one encloses more fields than it damages."""
    dialect = guess.dialect
    if dialect.quote is None or dialect.quote in text:
        return guess
    edge = re.escape(dialect.delimiter) if dialect.delimiter else r"(?!)"
    for other in rated:
        quote = other.dialect.quote
        if quote is None or quote not in text or other.dialect.delimiter != dialect.delimiter:
            continue
        field = rf"(?:^|[\r\n]|{edge}){quote}(?:[^{quote}\r\n]|{quote}{quote})*+{quote}(?={edge}|[\r\n]|\Z)"
        if len(re.findall(field, text)) > other.damaged:
            return replace(guess, score=0.8 * guess.score)
    return guess


def _foreign(delimiter: str | None) -> tuple[bytes, ...]:
    """The usual delimiters that do not belong into a cell if this is the delimiter; a comma is also text."""
    core = delimiter.strip(" ") if delimiter else None
    if core == ",":
        return (b";", b"|")
    return () if core in (";", "\t", "|") else (b",", b";", b"|")
