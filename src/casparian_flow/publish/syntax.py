"""Reads a parser's source as a syntax tree, never by running it, and finds its entry point there."""

from __future__ import annotations

import ast
import threading
import warnings
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from casparian_flow.core.errors import ParserInvalid

MAX_SOURCE = 8 << 20

_ONE_AT_A_TIME = threading.Lock()
"""Python 3.11 counts the depth of all threads' trees in one place and fails where two are made at once (gh-106905);
the filters of `warnings` are shared by threads as well."""


class EntryForm(StrEnum):
    """How a parser is written."""

    PARSE = "parse(path)"
    EXECUTE = "Handler.execute(path)"
    CONSUME = "Handler.consume(event)"


@dataclass(frozen=True, slots=True)
class Source:
    """One parsed source file."""

    file: Path
    data: bytes
    tree: ast.Module

    def invalid(self, message: str, node: ast.AST | None = None, fix: str = "") -> ParserInvalid:
        """The error about a place in this file."""
        line = f":{node.lineno}" if isinstance(node, (ast.expr, ast.stmt, ast.keyword)) else ""
        return ParserInvalid(message, where=f"{self.file}{line}", fix=fix)


def main_file(path: Path) -> Path:
    """The file of a parser that holds its manifest and its entry point."""
    return path / "parser.py" if path.is_dir() else path


def read_source(file: Path) -> Source:
    """The syntax tree of a file; raises ParserInvalid with the line if there is none."""
    try:
        if file.stat().st_size > MAX_SOURCE:
            raise ParserInvalid(f"the source is larger than {MAX_SOURCE >> 20} MiB", where=str(file))
        data = file.read_bytes()
    except OSError as exc:
        raise ParserInvalid(f"cannot read the parser: {exc.strerror}", where=str(file)) from exc
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its author's compiler shows them; they are no reason to refuse
            tree = ast.parse(data, str(file))
    except SyntaxError as exc:
        raise ParserInvalid(f"not valid Python: {exc.msg}", where=f"{file}:{exc.lineno or 1}") from exc
    except (ValueError, RecursionError, MemoryError) as exc:
        raise ParserInvalid(f"not valid Python: {exc}", where=str(file)) from exc
    return Source(file, data, tree)


def entry_form(source: Source) -> EntryForm:
    """How the parser is written; raises ParserInvalid if it has no entry point. A Handler goes before a function."""
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Handler":
            return _handler_form(source, node)
    for node in source.tree.body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "parse":
            raise source.invalid("`parse` is asynchronous; define it with `def`", node)
    bound = set(_bound_names(source.tree))
    if "Handler" in bound:
        return EntryForm.EXECUTE
    if "parse" in bound:
        return EntryForm.PARSE
    raise source.invalid(
        "no entry point", fix="define `def parse(path)` or `class Handler(BasePlugin)` with `execute(self, path)`"
    )


def _handler_form(source: Source, handler: ast.ClassDef) -> EntryForm:
    classes = {node.name: node for node in source.tree.body if isinstance(node, ast.ClassDef)}
    methods: set[str] = set()
    unknown_base = False
    pending, seen = [handler.name], set[str]()
    while pending:
        name = pending.pop()
        if name in seen or name == "BasePlugin":
            continue
        seen.add(name)
        if name not in classes:
            unknown_base = True  # imported: its methods are not to be seen from here
            continue
        methods |= {node.name for node in classes[name].body if isinstance(node, ast.FunctionDef)}
        pending += [_last_name(base) for base in classes[name].bases]
    if "execute" in methods:
        return EntryForm.EXECUTE
    if "consume" in methods:
        return EntryForm.CONSUME
    if unknown_base:
        return EntryForm.EXECUTE
    raise source.invalid(
        "class Handler has no entry point", handler, fix="define `execute(self, path)` or `consume(self, event)`"
    )


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else "?"


def _bound_names(tree: ast.Module) -> list[str]:
    """Names that the module's top level binds by a definition, an import or an assignment."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.append(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names
