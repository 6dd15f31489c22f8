"""Writes an answer in the format that was asked for: table, plain, json, jsonl or csv."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TextIO

from casparian_flow.clients.cli.table import draw
from casparian_flow.core.errors import UsageError
from casparian_flow.core.text import safe_text

UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


class Kind(StrEnum):
    """How a value is shown to a person; programs always get it as it is."""

    TEXT = "text"
    COUNT = "count"
    SIZE = "size"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list: a field of the reply's items."""

    name: str
    kind: Kind = Kind.TEXT
    title: str | None = None
    """What stands above it, where that is not the name in capitals."""

    @property
    def heading(self) -> str:
        """What stands above it, inert."""
        return self.name.upper().replace("_", " ") if self.title is None else safe_text(self.title)


@dataclass(frozen=True, slots=True)
class Paper:
    """What is written on: the stream, its format and what it can show. `width` None never cuts a line."""

    stream: TextIO
    format: str
    width: int | None = None
    color: bool = False
    fields: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """What stands for the part of a text that was cut."""
        return "…" if (self.stream.encoding or "").lower().replace("-", "") == "utf8" else "..."


def write_list(
    paper: Paper,
    schema: str,
    key: str,
    items: Iterable[Mapping[str, Any]],
    columns: Sequence[Column],
    known: Sequence[str],
    rest: Mapping[str, Any],
) -> None:
    """Write items one after another as they come.

    `known` are the names that `--fields` may choose from; `rest` is read after the last item.
    """
    chosen = _choose(paper.fields, columns, known)
    if paper.fields:
        items = ({name: item[name] for name in paper.fields} for item in items)
    match paper.format:
        case "json":
            _write_json_list(paper.stream, schema, key, items, rest)
        case "jsonl":
            for item in items:
                paper.stream.write(to_json(item) + "\n")
        case "csv":
            _write_csv(paper.stream, [column.name for column in chosen], items)
        case "plain":
            for item in items:
                paper.stream.write("\t".join(plain(item[column.name]) for column in chosen) + "\n")
        case _:
            _write_table(paper, items, chosen)


def write_record(
    paper: Paper, schema: str, record: Mapping[str, Any], lines: Iterable[str], *, is_plain: bool = False
) -> None:
    """Write one thing: `lines` are what a person reads and must be inert already.

    With `is_plain` a pipe gets the lines too, since they are as short as can be.
    """
    if paper.fields:
        _choose(paper.fields, (), tuple(record))
        record = {name: record[name] for name in paper.fields}
    match paper.format:
        case "json" | "jsonl":
            paper.stream.write(to_json({"schema": schema, **record}) + "\n")
        case "csv":
            _write_csv(paper.stream, list(record), [record])
        case "table" | "plain" if not paper.fields and (is_plain or paper.format == "table"):
            for line in lines:
                paper.stream.write(line + "\n")
        case _:
            for name, value in record.items():
                paper.stream.write(f"{name}\t{plain(value)}\n")


def to_json(value: Any) -> str:
    """JSON in ASCII: control, bidi and undecodable characters can only appear escaped."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def plain(value: Any) -> str:
    """A value as one inert word or line; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)) and not any(isinstance(each, (dict, list)) for each in value):
        return ",".join(map(plain, value))
    if isinstance(value, (dict, list)):
        return to_json(value)
    return safe_text(str(value))


def readable(value: Any, kind: Kind) -> str:
    """A value as a person reads it in a table."""
    if value is None:
        return "-"
    match kind:
        case Kind.COUNT:
            return f"{value:,}"
        case Kind.SIZE:
            return size_text(value)
        case Kind.TIME:
            return str(value)[:19].replace("T", " ")
        case Kind.TEXT:
            return plain(value) or "-"


def size_text(size: int) -> str:
    """A size in the largest unit that keeps it at one or more: `1.5 MB`."""
    amount = float(size)
    for unit in UNITS:
        if amount < 1000 or unit == UNITS[-1]:
            break
        amount /= 1000
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def table_lines(items: Iterable[Mapping[str, Any]], columns: Sequence[Column], paper: Paper) -> Iterator[str]:
    """The lines of a table, for a list by itself or inside the view of one thing."""
    return draw(
        [column.heading for column in columns],
        ([readable(item[column.name], column.kind) for column in columns] for item in items),
        right=[column.kind in (Kind.COUNT, Kind.SIZE) for column in columns],
        whole=[column.kind is not Kind.TEXT for column in columns],
        width=paper.width,
        color=paper.color,
        mark=paper.mark,
    )


def _write_table(paper: Paper, items: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    for line in table_lines(items, columns, paper):
        paper.stream.write(line + "\n")


def _write_json_list(
    stream: TextIO, schema: str, key: str, items: Iterable[Mapping[str, Any]], rest: Mapping[str, Any]
) -> None:
    stream.write(f'{{"schema": {to_json(schema)}, {to_json(key)}: [')
    separator = "\n"
    for item in items:
        stream.write(separator + to_json(item))
        separator = ",\n"
    stream.write("]" + "".join(f", {to_json(name)}: {to_json(value)}" for name, value in rest.items()) + "}\n")


def _write_csv(stream: TextIO, names: Sequence[str], items: Iterable[Mapping[str, Any]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(safe_text, names))
    writer.writerows([plain(item[name]) for name in names] for item in items)


def _choose(fields: Sequence[str], columns: Sequence[Column], known: Sequence[str]) -> Sequence[Column]:
    if not fields:
        return columns
    kinds = {column.name: column.kind for column in columns}
    for name in fields:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"there is no field {name!r}",
                why=f"did you mean {close[0]}?" if close else "",
                fix="--fields " + ",".join(known),
            )
    return [Column(name, kinds.get(name, Kind.TEXT)) for name in fields]
