"""Writes an answer in the format that was asked for."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any, TextIO

from casparian_flow.clients.cli.lists import check_field
from casparian_flow.clients.cli.table import Room, draw, shorten
from casparian_flow.core.text import safe_text

FORMULA = ("=", "+", "-", "@")
"""What makes a spreadsheet run a cell."""
MARKUP = re.compile(r"([\\`*_\[\]<>|#~])")
GLYPHS = str.maketrans({"…": "...", "└": "`", "├": "|", "│": "|", "─": "-", "→": "->"})
"""The shapes that our own lines are drawn with, as plain letters."""
UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


class Kind(StrEnum):
    """How a value is shown to a person; programs always get it as it is."""

    TEXT = "text"
    COUNT = "count"
    SIZE = "size"
    TIME = "time"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list: a field of the reply's items."""

    name: str
    kind: Kind = Kind.TEXT
    title: str | None = None
    """What stands above it, where that is not the name in capitals."""
    longest: int | None = None
    """A longer value is shortened in plain text too, where others are whole: it is an example, and may be bytes."""
    room: Room = Room.CUT
    """What becomes of it where a table is too wide; of texts only, others are whole or left out."""

    @property
    def heading(self) -> str:
        """What stands above it, inert."""
        return self.name.upper().replace("_", " ") if self.title is None else safe_text(self.title)


@dataclass(frozen=True, slots=True)
class Paper:
    """What is written on: the stream, its format and what it can show. `width` None never cuts a line.

    `is_ascii` leaves out every drawn shape, `is_csv_safe` guards spreadsheets, `is_agent` writes for an agent.
    """

    stream: TextIO
    format: str
    width: int | None = None
    color: bool = False
    fields: tuple[str, ...] = ()
    is_ascii: bool = False
    is_csv_safe: bool = False
    is_agent: bool = False

    @property
    def mark(self) -> str:
        """What stands for the part of a text that was cut."""
        return "…" if not self.is_ascii and is_utf8(self.stream) else "..."

    def line(self, text: str) -> None:
        """Write one line that is inert already."""
        self.stream.write((text.translate(GLYPHS) if self.is_ascii else text) + "\n")


def is_utf8(stream: TextIO) -> bool:
    """Whether every character can be written."""
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


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
    if paper.is_agent:
        from casparian_flow.clients.cli.envelope import enclose_list

        paper.stream.write(to_json(enclose_list(schema, key, items, rest)) + "\n")
        return
    match paper.format:
        case "json":
            _write_json_list(paper.stream, schema, key, items, rest)
        case "jsonl":
            for item in items:
                paper.stream.write(to_json(item) + "\n")
        case "csv":
            _write_csv(paper, [column.name for column in chosen], items)
        case "md":
            _write_markdown(paper, chosen, items)
        case "plain":
            for item in items:
                paper.stream.write("\t".join(_plain_cell(item[column.name], column, paper) for column in chosen) + "\n")
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
    if paper.is_agent:
        from casparian_flow.clients.cli.envelope import enclose_record

        paper.stream.write(to_json(enclose_record(schema, record, lines)) + "\n")
        return
    match paper.format:
        case "json" | "jsonl":
            paper.stream.write(to_json({"schema": schema, **record}) + "\n")
        case "csv":
            _write_csv(paper, list(record), [record])
        case "md":
            _write_markdown(
                paper,
                [Column("name"), Column("value")],
                ({"name": name, "value": value} for name, value in record.items()),
            )
        case "table" | "plain" if not paper.fields and (is_plain or paper.format == "table"):
            for line in lines:
                paper.line(line)
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


def _plain_cell(value: Any, column: Column, paper: Paper) -> str:
    return plain(value) if column.longest is None else shorten(plain(value), column.longest, paper.mark)


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
        case Kind.DAY:
            return str(value)[:10]
        case Kind.TEXT:
            return plain(value) or "-"


def counted(number: int, noun: str) -> str:
    """So many of something: `1 row`, `1,204 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


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
        rooms=[_room(column) for column in columns],
        width=paper.width,
        color=paper.color,
        mark=paper.mark,
    )


def _room(column: Column) -> Room:
    is_cut = column.kind is not Kind.TEXT and column.room is Room.CUT
    return Room.WHOLE if is_cut else column.room


def _write_table(paper: Paper, items: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    for line in table_lines(items, columns, paper):
        paper.line(line)


def _write_json_list(
    stream: TextIO, schema: str, key: str, items: Iterable[Mapping[str, Any]], rest: Mapping[str, Any]
) -> None:
    stream.write(f'{{"schema": {to_json(schema)}, {to_json(key)}: [')
    separator = "\n"
    for item in items:
        stream.write(separator + to_json(item))
        separator = ",\n"
    stream.write("]" + "".join(f", {to_json(name)}: {to_json(value)}" for name, value in rest.items()) + "}\n")


def _write_csv(paper: Paper, names: Sequence[str], items: Iterable[Mapping[str, Any]]) -> None:
    cell = _guarded if paper.is_csv_safe else plain
    writer = csv.writer(paper.stream, lineterminator="\n")
    writer.writerow(map(cell, names))
    writer.writerows([cell(item[name]) for name in names] for item in items)


def _guarded(value: Any) -> str:
    """The value as a cell that a spreadsheet shows and never runs."""
    text = plain(value)
    is_text = not isinstance(value, (int, float))
    return f"'{text}" if is_text and text.lstrip().startswith(FORMULA) else text


def _write_markdown(paper: Paper, columns: Sequence[Column], items: Iterable[Mapping[str, Any]]) -> None:
    headings = ([_escaped(column.name) for column in columns], ["---"] * len(columns))
    cells = ([_escaped(item[column.name]) for column in columns] for item in items)
    for line in chain(headings, cells):
        paper.stream.write(f"| {' | '.join(line)} |\n")


def _escaped(value: Any) -> str:
    """The value as text that Markdown shows as it is."""
    return MARKUP.sub(r"\\\1", plain(value))


def _choose(fields: Sequence[str], columns: Sequence[Column], known: Sequence[str]) -> Sequence[Column]:
    if not fields:
        return columns
    by_name = {column.name: Column(column.name, column.kind, longest=column.longest) for column in columns}
    for name in fields:
        check_field(name, known, "--fields", ",".join(fields))
    return [by_name.get(name, Column(name)) for name in fields]
