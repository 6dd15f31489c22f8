"""The fields of log lines, taken from many lines at once."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from w3c_fields import Fields, directive_lines, fields_of

from casparian_flow.sdk import Rejected, Rows
from casparian_flow.sdk.emit import FIELD_ORIGINAL
from casparian_flow.sdk.lines import Int64s, LineBlock

OUTPUT = ""
NO_VALUE = "-"
_FIELD = re.compile(r'"(?:[^"]|"")*"(?!\S)|\S+')


def read_lines(block: LineBlock, columns: pa.Schema, current: Fields | None) -> Iterator[Rows | Rejected]:
    """The rows and rejections of a block; returns the fields in force at its end."""
    places = {field.metadata[FIELD_ORIGINAL].decode(): place for place, field in enumerate(columns)}
    begin = 0
    for at in [*directive_lines(block).tolist(), len(block)]:
        lines = np.arange(begin, at)
        is_blank = np.asarray(pc.equal(pc.ascii_trim_whitespace(block.text.slice(begin, at - begin)), ""))
        lines = lines[~(is_blank & ~block.is_broken[begin:at])]
        if len(lines):
            yield from _read_section(block, lines, columns, places, current)
        if at < len(block):
            current = _next_fields(block.text[at].as_py(), current, places)
        begin = at + 1
    return current


def _next_fields(line: str, current: Fields | None, places: dict[str, int]) -> Fields | None:
    """What holds behind a directive: fields that the table has no columns for cannot be read."""
    if not line.lower().startswith("#fields:"):
        return current
    fields = fields_of(line)
    return fields if fields and set(fields.names) <= places.keys() else None


def _read_section(
    block: LineBlock, lines: Int64s, columns: pa.Schema, places: dict[str, int], fields: Fields | None
) -> Iterator[Rows | Rejected]:
    """Rows of lines that one `#Fields` line describes, then the lines that do not fit it."""
    is_row = np.zeros(len(lines), np.bool_)
    if fields is not None:
        split = _split(block.text.take(pa.array(lines)), fields)
        is_row = (np.asarray(pc.list_value_length(split)) == len(fields.names)) & ~block.is_broken[lines]
        if is_row.any():
            cells = split.filter(pa.array(is_row)).flatten()
            yield block.rows(OUTPUT, _batch(cells, fields, columns, places), lines[is_row])
    for line in lines[~is_row].tolist():
        yield _reject(block, line, fields)


def _reject(block: LineBlock, line: int, fields: Fields | None) -> Rejected:
    if block.is_cut:
        return block.reject(OUTPUT, line, "cf.log.too_long", "the line is longer than 16 MiB")
    if block.is_broken[line]:
        return block.reject(OUTPUT, line, "cf.log.encoding", "the line cannot be decoded")
    if fields is None:
        return block.reject(OUTPUT, line, "cf.log.line", "no #Fields line above it says what its fields are")
    found = len(_split(block.text.slice(line, 1), fields)[0])
    return block.reject(OUTPUT, line, "cf.log.line", f"{found} fields where #Fields names {len(fields.names)}")


def _split(texts: Any, fields: Fields) -> Any:
    """The fields of each line; quoted ones, which are rare, are taken apart one line at a time."""
    split = (
        pc.split_pattern(texts, ",")
        if fields.has_commas
        else pc.ascii_split_whitespace(pc.ascii_trim_whitespace(texts))
    )
    has_quotes = pc.match_substring(texts, '"')
    if not fields.has_commas:  # quotes inside a word are part of it
        has_quotes = pc.and_(has_quotes, pc.not_equal(pc.list_value_length(split), len(fields.names)))
    rare = np.flatnonzero(np.asarray(has_quotes))
    if not len(rare):
        return split
    take_apart = _by_commas if fields.has_commas else _by_space
    again = pa.array([take_apart(text) for text in texts.take(pa.array(rare)).to_pylist()], pa.list_(pa.string()))
    place = np.arange(len(texts))
    place[rare] = len(texts) + np.arange(len(rare))
    return pa.concat_arrays([split.cast(pa.list_(pa.string())), again]).take(pa.array(place))


def _by_commas(text: str) -> list[str]:
    try:
        return next(csv.reader([text]))
    except csv.Error:
        return text.split(",")


def _by_space(text: str) -> list[str]:
    return [
        word[1:-1].replace('""', '"') if word.startswith('"') and word.endswith('"') and len(word) > 1 else word
        for word in _FIELD.findall(text)
    ]


def _batch(cells: Any, fields: Fields, columns: pa.Schema, places: dict[str, int]) -> pa.RecordBatch:
    width = len(fields.names)
    count = len(cells) // width
    absent = pa.nulls(count, pa.string())
    arrays = [absent] * len(columns)
    missing = "" if fields.has_commas else NO_VALUE
    for at, name in enumerate(fields.names):
        values = cells.take(pa.array(np.arange(count) * width + at))
        arrays[places[name]] = pc.if_else(pc.is_in(values, value_set=pa.array([missing, NO_VALUE])), absent, values)
    return pa.RecordBatch.from_arrays(arrays, schema=columns)
