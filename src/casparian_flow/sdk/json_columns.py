"""JSON objects as columns of tagged text: every value keeps its exact text; needs pyarrow and numpy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.sdk.emit import FIELD_ENCODING, FIELD_ORIGINAL
from casparian_flow.sdk.json_text import structure
from casparian_flow.sdk.lines import Bools, Int64s, slices

MAX_CELLS = 1 << 21
MAX_COLUMNS = 4096
MAX_NAME_BYTES = 1024


class JsonColumns:
    """Turns JSON objects into record batches. One value serves one output, so that names stay the same in it.

    Top-level keys are columns; a repeated key becomes `key_2`, an empty one `column_1`, a reserved one gets the
    prefix `x`. Cells follow the `json` encoding of `sdk.emit`.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._fields: dict[str, Any] = {}

    def batches(self, objects: Any) -> Iterator[tuple[Any, Int64s]]:
        """Batches of a string array of valid JSON objects, each with the indices of the objects it holds.

        Objects in no batch have more distinct keys than a table may have columns, or a key that is too long.
        """
        pairs = _Pairs(objects)
        columns, codes, is_refused = self._assign(pairs, len(objects))
        keep = ~is_refused[pairs.line]
        step = max(1, MAX_CELLS // max(1, len(columns)))
        for first in range(0, len(objects), step):
            last = min(first + step, len(objects))
            chosen = keep & (pairs.line >= first) & (pairs.line < last) if (first, last) != (0, len(objects)) else keep
            lines = first + np.flatnonzero(~is_refused[first:last])
            if len(lines):
                yield self._batch(columns, codes, pairs, chosen, lines), lines

    def _assign(self, pairs: _Pairs, count: int) -> tuple[list[str], Int64s, Bools]:
        """The columns, which of them each pair belongs to, and the objects that cannot be columns."""
        is_refused = np.zeros(count, np.bool_)
        encoded = pairs.keys.dictionary_encode()
        columns: dict[str, int] = {}
        code_of = np.empty(len(encoded.dictionary), np.int64)
        for at, raw in enumerate(encoded.dictionary.to_pylist()):
            name = self._name(raw)
            code_of[at] = columns.setdefault(name, len(columns)) if name is not None else -1
        codes = code_of[np.asarray(encoded.indices)] if len(encoded) else np.zeros(0, np.int64)
        is_refused[pairs.line[codes < 0]] = True
        self._rename_repeated(pairs, codes, columns, is_refused)
        return list(columns), codes, is_refused

    def _name(self, raw_key: str) -> str | None:
        """The column of a key; None when there is room for no more columns."""
        key: str = json.loads(raw_key)
        if key in self._names:
            return self._names[key]
        name = f"x{key}" if key.casefold().startswith("_cf_") else key or "column_1"
        if not self._declare(name, key):
            return None
        self._names[key] = name
        return name

    def _declare(self, name: str, key: str) -> bool:
        if name not in self._fields:
            if len(self._fields) >= MAX_COLUMNS or len(name.encode()) > MAX_NAME_BYTES:
                return False
            metadata = {FIELD_ENCODING: b"json"}
            if name != key:
                metadata[FIELD_ORIGINAL] = key.encode()
            self._fields[name] = pa.field(name, pa.string(), metadata=metadata)
        return True

    def _rename_repeated(self, pairs: _Pairs, codes: Int64s, columns: dict[str, int], is_refused: Bools) -> None:
        order = np.argsort(codes, kind="stable")
        again = (codes[order][1:] == codes[order][:-1]) & (pairs.line[order][1:] == pairs.line[order][:-1])
        names = list(columns)
        lines = np.unique(pairs.line[order][1:][again])
        bounds = np.searchsorted(pairs.line, [lines, lines + 1]).T.tolist()
        for line, (first, last) in zip(lines.tolist(), bounds, strict=True):
            taken = {names[code] for code in codes[first:last].tolist() if code >= 0}
            seen: dict[str, int] = {}
            for pair in range(first, last):
                if codes[pair] < 0:
                    continue
                name = key = names[codes[pair]]
                if key in seen:
                    suffix = seen[key] + 1
                    while (name := f"{key}_{suffix}") in taken:
                        suffix += 1
                    seen[key] = suffix
                    taken.add(name)
                else:
                    seen[key] = 1
                if not self._declare(name, key):
                    is_refused[line] = True
                    break
                codes[pair] = columns.setdefault(name, len(columns))
                if len(columns) > len(names):
                    names.append(name)

    def _batch(self, columns: list[str], codes: Int64s, pairs: _Pairs, chosen: Bools, lines: Int64s) -> Any:
        row_of = np.full(pairs.count, -1, np.int64)
        row_of[lines] = np.arange(len(lines))
        of_pair = np.flatnonzero(chosen)
        order = of_pair[np.argsort(codes[of_pair], kind="stable")]
        bounds = np.searchsorted(codes[order], np.arange(len(columns) + 1))
        fields, arrays = [], []
        for code, name in enumerate(columns):
            members = order[bounds[code] : bounds[code + 1]]
            if not len(members):
                continue
            if len(members) == len(lines):
                arrays.append(pairs.values.take(pa.array(members)))
            else:
                index, is_absent = np.zeros(len(lines), np.int64), np.ones(len(lines), np.bool_)
                rows = row_of[pairs.line[members]]
                index[rows], is_absent[rows] = members, False
                arrays.append(pairs.values.take(pa.array(index, mask=is_absent)))
            fields.append(self._fields[name])
        if not fields:  # objects without keys are rows too
            return pa.RecordBatch.from_struct_array(pa.array([{}] * len(lines), pa.struct([])))
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


class _Pairs:
    """The top-level keys and values of many objects: `line` is the object each pair stands in."""

    def __init__(self, objects: Any) -> None:
        self.count = len(objects)
        offsets = np.frombuffer(objects.buffers()[1], np.int32)[objects.offset : objects.offset + self.count + 1]
        buffer = objects.buffers()[2]
        data = np.frombuffer(buffer, np.uint8)[: offsets[-1]] if buffer is not None else np.zeros(0, np.uint8)
        marks = _top_marks(data, int(offsets[0]))
        colons = np.flatnonzero(data[marks] == ord(":"))
        at = marks[colons]
        self.line: Int64s = np.searchsorted(offsets, at, side="right") - 1
        self.keys = _trimmed(slices(data, marks[colons - 1] + 1, at))
        self.values = _tagged(_trimmed(slices(data, at + 1, marks[colons + 1])))


def _top_marks(data: Any, first: int) -> Int64s:
    """Offsets of the braces, commas and colons of the outermost objects."""
    at, chars, depth = structure(data[first:])
    is_close = (chars == ord("}")) | (chars == ord("]"))
    marks: Int64s = at[np.where(is_close, depth == 0, depth == 1)] + first
    return marks


def _trimmed(pieces: Any) -> Any:
    return pc.ascii_trim(pieces, characters=" \t\r\n") if len(pieces) else pieces


def _tagged(values: Any) -> Any:
    """JSON texts as tagged cells."""
    if not len(values):
        return values
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(values.buffers()[2], np.uint8)
    is_string = data[offsets[:-1]] == ord('"')
    cells = slices(data, offsets[:-1].astype(np.int64), offsets[1:] - is_string.astype(np.int64))
    cells = pc.if_else(pc.equal(cells, "null"), pa.scalar(None, pa.string()), cells)
    has_escape = is_string & np.asarray(pc.match_substring(values, "\\"))
    if has_escape.any():
        plain = json.loads("[" + ",".join(values.filter(pa.array(has_escape)).to_pylist()) + "]")
        cells = pc.replace_with_mask(cells, pa.array(has_escape), pa.array([f'"{text}' for text in plain], pa.string()))
    return cells
