"""Runs a parser in this process and collects what it yields, for parser authors and their tests; needs pyarrow."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from casparian_flow.sdk.emit import Rejected, Rows, Verdict
from casparian_flow.sdk.parser import BasePlugin, Context, FileEvent, Span

_TIME = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)?")


@dataclass(frozen=True, slots=True)
class Collected:
    """Everything one file became. `rows` holds one list of `Rows` per output, their data as Arrow tables."""

    rows: Mapping[str, list[Rows]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def tables(self) -> dict[str, Any]:
        """One Arrow table per output; a column that some batches lack is null there."""
        return {
            output: pa.concat_tables([rows.data for rows in many], promote_options="permissive")
            for output, many in self.rows.items()
        }

    def records(self) -> list[dict[str, Any]]:
        """Rows and rejections as `expected.jsonl` of a case holds them, ordered by output and place in the source."""
        found = [record for output, many in self.rows.items() for rows in many for record in _records(output, rows)]
        found += [
            {"_rejected": one.code, "_output": one.output, "_start": one.start, "_end": one.end}
            for one in self.rejected
        ]
        return sorted(found, key=_place)


def collect(
    parser_path: Path,
    input_path: Path,
    options: Mapping[str, Any] | None = None,
    spans: Sequence[Span] | None = None,
    verdicts: Mapping[str, str] | None = None,
) -> Collected:
    """Load the parser (a file, or a folder with `parser.py`) and run it over one file, as a guest would.

    With `spans`, over these records of it alone; `verdicts` are then those of the whole file.
    """
    collected = Collected({}, [], [])
    file = parser_path / "parser.py" if parser_path.is_dir() else parser_path
    with _Imports(file.parent):
        module = _load(file)
        chosen = None if spans is None else tuple(spans)
        context = Context("", 0, {**_default_options(module), **(options or {})}, chosen, verdicts or {})
        for item in _run(module, Path(input_path), context):
            _sort_in(item, collected)
    return collected


def reread_differences(
    parser_path: Path, input_path: Path, options: Mapping[str, Any] | None = None, every: int = 1
) -> list[str]:
    """How the records of spans differ from those of the whole file; none where the parser keeps `rereads="spans"`.

    Each record that has a number and bytes is asked for, or of `every` so many the first one. What is only in the whole
    file begins with `-`, what only spans bring with `+`.
    """
    whole = collect(parser_path, input_path, options)
    chosen = spans_of(whole)[::every]
    verdicts = {one.name: one.value for one in whole.verdicts}
    return spans_against_whole(collect(parser_path, input_path, options, chosen, verdicts), whole, chosen)


def spans_of(whole: Collected) -> list[Span]:
    """Where each record is that has a number and bytes, in order."""
    return sorted({span for span, _ in _placed(whole)})


def spans_against_whole(found: Collected, whole: Collected, spans: Iterable[Span]) -> list[str]:
    """How what was found of some spans differs from what the whole file has there; see `reread_differences`."""
    chosen = set(spans)
    wanted = Counter(text for span, text in _placed(whole) if span in chosen)
    came = Counter(text for _, text in _placed(found))
    missing, more = wanted - came, came - wanted
    return [f"- {text}" for text in missing.elements()] + [f"+ {text}" for text in more.elements()]


def comparable(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Records as lines that are equal where they say the same: without nulls, times in one form, in order."""
    plain = [
        {"_output": ""} | {key: _one_form(value) for key, value in record.items() if value is not None}
        for record in records
    ]
    return sorted(json.dumps(record, sort_keys=True, ensure_ascii=False) for record in plain)


def case_input(case: Path) -> Path:
    """The file of a case that the parser reads."""
    return next(file for file in sorted(case.iterdir()) if file.name.startswith("input"))


def case_options(case: Path) -> dict[str, Any]:
    """The options that a case is read with, from its `options.json`."""
    file = case / "options.json"
    options: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return options


def case_records(case: Path) -> list[dict[str, Any]]:
    """What a case expects, from its `expected.jsonl`."""
    return [json.loads(line) for line in (case / "expected.jsonl").read_text(encoding="utf-8").splitlines() if line]


def manifest_call(parser_path: Path) -> ast.Call | None:
    """The literal `PluginMetadata(...)` of a parser's source, or None where it has none."""
    file = parser_path / "parser.py" if parser_path.is_dir() else parser_path
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            function = node.value.func
            if isinstance(function, ast.Name) and function.id == "PluginMetadata":
                return node.value
    return None


def _one_form(value: Any) -> Any:
    if isinstance(value, str) and (time := _TIME.fullmatch(value)):
        return time[1] + (time[2] or "").rstrip(".0") + ("Z" if time[3] else "")
    return value


class _Imports:
    """The parser's folder is first on the path while it runs; its modules are forgotten afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.resolve())
        self._places = tuple(f"{place}{os.sep}" for place in (self._folder, folder.absolute()))

    def __enter__(self) -> None:
        sys.path.insert(0, self._folder)

    def __exit__(self, *exc: object) -> None:
        sys.path.remove(self._folder)
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and str(file).startswith(self._places):
                del sys.modules[name]


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"parser_under_test_{file.parent.name}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _default_options(module: ModuleType) -> Mapping[str, Any]:
    manifest = getattr(module, "MANIFEST", None)
    return manifest.options if manifest is not None else {}


def _run(module: ModuleType, path: Path, context: Context) -> Iterator[Any]:
    handler_class = getattr(module, "Handler", None)
    if handler_class is None:
        takes_context = module.parse.__code__.co_argcount > 1
        yield from _items(module.parse(path, context) if takes_context else module.parse(path))
        return
    handler = handler_class()
    if type(handler).configure is not BasePlugin.configure:
        handler.configure(context, context.options)
    returned = handler.execute(path) if hasattr(handler, "execute") else handler.consume(FileEvent(path, context))
    for item in _items(returned):
        yield from handler.drain_published()
        yield item
    yield from handler.drain_published()


def _items(returned: Any) -> Iterable[Any]:
    if returned is None:
        return ()
    return [returned] if isinstance(returned, (tuple, Rows, Rejected, Verdict)) else returned


def _sort_in(item: Any, collected: Collected) -> None:
    match item:
        case Rejected():
            collected.rejected.append(item)
        case Verdict():
            collected.verdicts.append(item)
        case Rows(output=output):
            table = _as_table(item.data)
            rows: dict[str, list[Rows]] = collected.rows  # type: ignore[assignment]
            rows.setdefault(output, []).append(Rows(output, table, item.source_row, item.start, item.end))
        case (str(output), data):
            _sort_in(Rows(output, data), collected)
        case _:
            raise TypeError(f"a parser yields (output, data), Rows, Rejected or Verdict, not {type(item).__name__}")


def _as_table(data: Any) -> Any:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, Mapping):
        return pa.table(dict(data))
    if isinstance(data, list):
        return pa.Table.from_pylist(data)
    return pa.table(data)


def _records(output: str, rows: Rows) -> Iterator[dict[str, Any]]:
    ordinals = rows.source_row if rows.source_row is not None else [None] * rows.data.num_rows
    for ordinal, record in zip(ordinals, _plain(rows.data), strict=True):
        values = {name: _as_json(value) for name, value in record.items() if value is not None}
        yield {"_output": output, "_row": None if ordinal is None else int(ordinal)} | values


def _plain(table: Any) -> list[dict[str, Any]]:
    if not table.num_columns:
        return [{} for _ in range(table.num_rows)]
    plain: list[dict[str, Any]] = pa.table(list(map(_plain_column, table.columns)), table.column_names).to_pylist()
    return plain


def _plain_column(column: Any) -> Any:
    """Times as text, since Python's own have no nanoseconds."""
    if pa.types.is_timestamp(column.type) and column.type.tz:
        return column.cast(pa.timestamp(column.type.unit, "UTC")).cast(pa.string())
    return column.cast(pa.string()) if pa.types.is_temporal(column.type) else column


def _as_json(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, list, dict)) else str(value)


def _placed(collected: Collected) -> list[tuple[Span, str]]:
    """Every record that says where it is, with all that is said of it; one without its bytes is at none."""
    found: list[tuple[Span, dict[str, Any]]] = []
    for output, many in collected.rows.items():
        for rows in many:
            if rows.source_row is None or rows.start is None or rows.end is None:
                continue
            places = zip(rows.source_row, rows.start, rows.end, strict=True)
            spans = [Span(*(int(number) for number in place)) for place in places]
            found += zip(spans, _records(output, rows), strict=True)
    for one in collected.rejected:
        if one.source_row is not None and one.start is not None and one.end is not None:
            said = {"_output": one.output, "_rejected": one.code, "_message": one.message, "_raw": repr(one.raw)}
            found.append((Span(one.source_row, one.start, one.end), said))
    return [(span, json.dumps([*span, record], sort_keys=True, ensure_ascii=False)) for span, record in found]


def _place(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return (record["_output"], "_rejected" in record, record.get("_row") or 0, record.get("_start") or 0)
