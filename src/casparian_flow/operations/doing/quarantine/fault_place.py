"""Where in the text of a rejected record its fault stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from casparian_flow.core.quarantine import ARITY

Span = tuple[int, int]
_MEMBER = re.compile(r'[\s,{]*("(?:[^"\\]|\\.)*")\s*:\s*', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How the fields of a delimited record are told apart; `quote` and `escape` are None where there is none."""

    delimiter: str
    quote: str | None = '"'
    escape: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first reason against a record: its code and words, the column, what was found there.

    `columns` are those of the record in the order of the file, where it could be split into cells.
    """

    code: str
    message: str
    column: str | None = None
    observed: str | None = None
    columns: Sequence[str] = ()


def fault_span(text: str, fault: Fault, dialect: Dialect | None) -> Span | None:
    """The characters at fault, from one to before another; none between two where something is missing.

    None where nobody can say. It never raises, whatever the text holds.
    """
    if fault.code == "cf.csv.nul" and "\0" in text:
        return _found(text, "\0")
    if fault.code in ("cf.json.syntax", "cf.json.truncated"):
        return _syntax(text)
    span = None
    if dialect is not None:
        span = _in_fields(text, fault, dialect)
    elif fault.column and text.lstrip().startswith("{"):
        span = _in_members(text, fault)
    return _found(text, fault.observed) if span is None and fault.column and fault.observed else span


@dataclass(frozen=True, slots=True)
class _Field:
    start: int
    end: int
    text: str
    is_open: bool = False


def _in_fields(text: str, fault: Fault, dialect: Dialect) -> Span | None:
    fields = list(_fields(text, dialect))
    if fault.code == "cf.csv.quote":
        opened = [field for field in fields if field.is_open]
        return (opened[0].start, opened[0].start + 1) if opened else _found(text, dialect.quote or "")
    if (counts := ARITY.search(fault.message)) is not None:
        width = int(counts[2])
        return (fields[width].start, fields[-1].end) if len(fields) > width else (len(text), len(text))
    if fault.column is not None and fault.column in fault.columns and len(fields) >= len(fault.columns):
        field = fields[list(fault.columns).index(fault.column)]
        if fault.observed is None or field.text.startswith(fault.observed):
            return field.start, field.end
    same = [field for field in fields if fault.column and fault.observed is not None and field.text == fault.observed]
    return (same[0].start, same[0].end) if same else None


def _fields(text: str, dialect: Dialect) -> Iterator[_Field]:
    """The fields with the places of what they hold, without the quotes around it."""
    at = 0
    while True:
        quote = dialect.quote
        if quote and text.startswith(quote, at):
            field, at = _quoted(text, at, quote, dialect.escape)
            found = text.find(dialect.delimiter, at)
        else:
            found = text.find(dialect.delimiter, at)
            end = len(text) if found < 0 else found
            field = _Field(at, end, text[at:end])
        yield field
        if found < 0:
            return
        at = found + len(dialect.delimiter)


def _quoted(text: str, at: int, quote: str, escape: str | None) -> tuple[_Field, int]:
    """The quoted field that begins here, and where its closing quote ends."""
    end = at + 1
    while (end := text.find(quote, end)) >= 0:
        if text.startswith(quote * 2, end):
            end += 2
        elif escape and text[end - 1] == escape:
            end += 1
        else:
            inside = text[at + 1 : end].replace(quote * 2, quote)
            return _Field(at + 1, end, inside), end + 1
    return _Field(at, len(text), text[at + 1 :], is_open=True), len(text)


def _in_members(text: str, fault: Fault) -> Span | None:
    """The value of a member of a JSON object; of several with the same key the last one counts."""
    members = list(_members(text))
    named = [span for key, span, _ in members if key == fault.column]
    if named:
        return named[-1]
    same = [span for _, span, value in members if value == fault.observed]
    return same[0] if same else None


def _members(text: str) -> Iterator[tuple[str, Span, str]]:
    """Key, place and text of each member, as far as the object can be read."""
    decoder = json.JSONDecoder()
    at = text.find("{") + 1
    while (key := _MEMBER.match(text, at)) is not None:
        try:
            value, at = decoder.raw_decode(text, key.end())
            name = json.loads(key[1])
        except (ValueError, RecursionError):
            return
        yield name, (key.end(), at), value if isinstance(value, str) else text[key.end() : at]


def _syntax(text: str) -> Span | None:
    """Where JSON stops being JSON; behind its end where more was to come."""
    try:
        json.loads(text)
    except json.JSONDecodeError as exc:
        at = min(exc.pos, len(text))
        return at, min(at + 1, len(text))
    except (ValueError, RecursionError):
        return None
    return None


def _found(text: str, wanted: str) -> Span | None:
    at = text.find(wanted) if wanted else -1
    return None if at < 0 else (at, at + len(wanted))
