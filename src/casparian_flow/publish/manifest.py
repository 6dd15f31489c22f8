"""What a parser says about itself, read from its syntax tree and never by running it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.drift import Overrides
from casparian_flow.core.errors import UsageError
from casparian_flow.core.lineage import RESERVED_PREFIX, reserved_names
from casparian_flow.core.rules import Rule
from casparian_flow.core.tables import table_from_output
from casparian_flow.core.treatments import Treatment, check_treatment
from casparian_flow.core.types import parse_type
from casparian_flow.publish.demands import demands_of
from casparian_flow.publish.literals import arguments, called, literal, shown
from casparian_flow.publish.syntax import EntryForm, Source, entry_form, main_file, read_source
from casparian_flow.sdk.columns import SENSITIVITIES, TREATMENTS, Column
from casparian_flow.sdk.manifest import PluginMetadata

CONTENT = ("delimited", "jsonl", "json", "sqlite", "evtx", "syslog", "web_access", "web_error", "w3c", "text")
TABLES = ("topic", "file")
REREADS = ("file", "spans")
_COLUMN_NAMES = [item.name for item in fields(Column)]
_COMMENT = re.compile(r"#\s*(PATTERN|TOPIC):\s*(.+?)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A parser's metadata. The fields mean what they mean in `sdk.PluginMetadata`."""

    name: str
    entry: EntryForm
    pattern: tuple[str, ...] = ()
    topic: str | None = None
    priority: int = 50
    subscriptions: tuple[str, ...] = ()
    outputs: Mapping[str, tuple[ContractColumn, ...]] = field(default_factory=lambda: MappingProxyType({}))
    version: str = "0"
    content: tuple[str, ...] = ()
    tables: str = "topic"
    requires: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    shares_process: bool = False
    rereads: str = "file"
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=lambda: MappingProxyType({}))
    drift: Mapping[str, Overrides] = field(default_factory=lambda: MappingProxyType({}))


def read_manifest(path: Path) -> Manifest:
    """The manifest of a parser file, or of a folder with `parser.py`.

    It is the literal call `MANIFEST = PluginMetadata(...)`, else the comments `# PATTERN:` and `# TOPIC:`, else
    empty. Raises ParserInvalid with the line of what cannot be read.
    """
    return manifest_of(read_source(main_file(path)), path.name if path.is_dir() else path.stem)


def manifest_of(source: Source, name: str) -> Manifest:
    """The manifest in a source that was read already."""
    entry = entry_form(source)
    call = _manifest_call(source)
    values = _from_comments(source) if call is None else _from_call(source, call)
    return Manifest(name=name, entry=entry, **values)


def _manifest_call(source: Source) -> ast.Call | None:
    for node in source.tree.body:
        if isinstance(node, ast.AnnAssign):
            targets: list[ast.expr] = [node.target]
        elif isinstance(node, ast.Assign):
            targets = node.targets
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == "MANIFEST" for target in targets):
            if isinstance(node.value, ast.Call) and called(node.value) == "PluginMetadata":
                return node.value
            raise source.invalid("MANIFEST is not a literal call", node, fix="write MANIFEST = PluginMetadata(...)")
    return None


def _from_comments(source: Source) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        for token in tokenize.tokenize(io.BytesIO(source.data).readline):
            if token.type == tokenize.COMMENT and (match := _COMMENT.match(token.string)):
                key, value = match[1].lower(), match[2]
                found.setdefault(key, tuple(filter(None, re.split(r"[,\s]+", value))) if key == "pattern" else value)
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError) as exc:  # what Python itself may pass over
        raise source.invalid(f"not valid Python: {exc}") from exc
    return found


def _from_call(source: Source, call: ast.Call) -> dict[str, Any]:
    given = arguments(source, call, [item.name for item in fields(PluginMetadata)])
    tables = literal(source, given["tables"]) if "tables" in given else "topic"
    values = {}
    for key, node in given.items():
        if key == "outputs":
            values[key] = _outputs(source, node, tables)
            continue
        if key in ("rules", "drift"):
            continue
        value = literal(source, node)
        check, expected = _FIELDS[key]
        if not check(value):
            raise source.invalid(f"`{key}` must be {expected}, not {shown(node)}", node)
        values[key] = _frozen(key, value)
    outputs = values.get("outputs", {})
    if "rules" in given or "drift" in given:
        values |= demands_of(source, given.get("rules"), given.get("drift"), outputs)
    return values


def _outputs(source: Source, node: ast.expr, tables: Any) -> Mapping[str, tuple[ContractColumn, ...]]:
    if not isinstance(node, ast.Dict):
        raise source.invalid("`outputs` must be a dict of output names and lists of Column(...)", node)
    outputs: dict[str, tuple[ContractColumn, ...]] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        name = None if key is None else literal(source, key)
        if not isinstance(name, str):
            raise source.invalid("an output's name must be text written out", key or node)
        if not name and tables != "file":
            raise source.invalid('only with tables="file" may an output have an empty name', key)
        if reserved_names([name]):
            raise source.invalid(f"the output {name!r} lies in the reserved namespace {RESERVED_PREFIX}", key)
        if name and not table_from_output(name):
            raise source.invalid(f"the output {name!r} cannot name a table: it has none of a-z and 0-9", key)
        if table_from_output(name) in map(table_from_output, outputs):
            raise source.invalid(f"the output {name!r} is declared twice", key)
        if not isinstance(value, (ast.List, ast.Tuple)):
            raise source.invalid(f"the columns of {name!r} must be a list of Column(...)", value)
        outputs[name] = _columns(source, value.elts)
    return MappingProxyType(outputs)


def _columns(source: Source, nodes: list[ast.expr]) -> tuple[ContractColumn, ...]:
    columns: dict[str, ContractColumn] = {}
    for node in nodes:
        column = _column(source, node)
        if column.name in columns:
            raise source.invalid(f"column {column.name!r} is declared twice", node)
        columns[column.name] = column
    return tuple(columns.values())


def _column(source: Source, node: ast.expr) -> ContractColumn:
    if not (isinstance(node, ast.Call) and called(node) == "Column"):
        raise source.invalid(f"expected Column(...), not {shown(node)}", node)
    given = arguments(source, node, _COLUMN_NAMES)
    values = {key: literal(source, value) for key, value in given.items()}
    if not isinstance(values.get("name"), str) or not values["name"]:
        raise source.invalid("a Column needs a name", node)
    name = values["name"]
    if reserved_names([name]):
        raise source.invalid(f"column {name!r} lies in the reserved namespace {RESERVED_PREFIX}", given["name"])
    for key, value in values.items():
        check, expected = _COLUMN_FIELDS[key]
        if not check(value):
            raise source.invalid(f"column {name!r}: `{key}` must be {expected}", given[key])
    try:
        values["type"] = str(parse_type(values.get("type", "string")))
    except UsageError as exc:
        raise source.invalid(f"column {name!r}: {exc.message}", given["type"], fix=exc.fix) from exc
    if values.get("treatment") is not None:
        values["treatment"] = Treatment(values["treatment"])
    column = ContractColumn(**values)
    try:
        check_treatment(column.sensitivity, column.treatment, column.treatment_argument)
    except UsageError as exc:
        raise source.invalid(f"column {name!r}: {exc.message}", node, fix=exc.fix) from exc
    return column


def _frozen(key: str, value: Any) -> Any:
    if key == "pattern":
        return (value,) if isinstance(value, str) else tuple(value)
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return MappingProxyType(value) if isinstance(value, dict) else value


def _is_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


_Check = tuple[Callable[[Any], bool], str]
_FIELDS: dict[str, _Check] = {
    "pattern": (lambda v: isinstance(v, str) or _is_texts(v), "a glob or a list of globs"),
    "topic": (_is_text_or_none, "text"),
    "priority": (lambda v: type(v) is int and abs(v) < 1 << 63, "a whole number of at most 63 bits"),
    "subscriptions": (_is_texts, "a list of tags"),
    "version": (lambda v: isinstance(v, str), "text"),
    "content": (lambda v: _is_texts(v) and set(v) <= set(CONTENT), f"a list of {', '.join(CONTENT)}"),
    "tables": (lambda v: v in TABLES, " or ".join(map(repr, TABLES))),
    "requires": (_is_texts, "a list of distributions"),
    "options": (lambda v: isinstance(v, dict) and all(isinstance(key, str) for key in v), "a dict with text keys"),
    "shares_process": (lambda v: isinstance(v, bool), "True or False"),
    "rereads": (lambda v: v in REREADS, " or ".join(map(repr, REREADS))),
}
_COLUMN_FIELDS: dict[str, _Check] = {
    "name": (lambda v: isinstance(v, str), "text"),
    "type": (lambda v: isinstance(v, str), "the name of a type"),
    "nullable": (lambda v: isinstance(v, bool), "True or False"),
    "format": (_is_text_or_none, "text"),
    "description": (lambda v: isinstance(v, str), "text"),
    "sensitivity": (lambda v: v in SENSITIVITIES, f"one of {', '.join(SENSITIVITIES)}"),
    "treatment": (lambda v: v is None or v in TREATMENTS, f"one of {', '.join(TREATMENTS)}"),
    "treatment_argument": (_is_text_or_none, "text"),
}
