"""Tells what a parser's source shows before anybody runs it: static hints, not a boundary.

What a parser may do is limited by the process it runs in. This report refuses only what no parser honestly needs.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from casparian_flow.core.errors import CasparianError
from casparian_flow.publish.manifest import Manifest, manifest_of
from casparian_flow.publish.syntax import Source, main_file, read_source

NOTICE = "static hints, not a boundary"
_REFUSED_MODULES = {
    "ctypes": "calls native code directly",
    "_ctypes": "calls native code directly",
    "cffi": "calls native code directly",
    "_posixsubprocess": "starts processes past every check",
}
_NOTED_MODULES = {
    "subprocess": "starts processes",
    "multiprocessing": "starts processes",
    "socket": "uses the network",
    "urllib": "uses the network",
    "http": "uses the network",
    "requests": "uses the network",
    "pickle": "runs code while it reads data",
    "marshal": "reads code objects",
    "importlib": "imports by computed names",
    "signal": "handles signals",
}
_DECODERS = {
    "b64decode",
    "b32decode",
    "b16decode",
    "a85decode",
    "b85decode",
    "unhexlify",
    "fromhex",
    "decompress",
    "loads",
}
_DYNAMIC = {"eval", "exec", "compile", "__import__"}
LONG_TEXT = 4_096


class Grade(StrEnum):
    """What a finding means for the parser."""

    REFUSED = "refused"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the source shows, and where."""

    grade: Grade
    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What `casparian parser check` shows. `error` is why the manifest or the entry point cannot be read."""

    path: Path
    manifest: Manifest | None
    error: CasparianError | None
    imports: tuple[str, ...]
    foreign_imports: tuple[str, ...]
    findings: tuple[Finding, ...]
    notice: str = NOTICE

    @property
    def is_refused(self) -> bool:
        """Whether the parser may not run for what is in its code."""
        return any(finding.grade is Grade.REFUSED for finding in self.findings)


def check_parser(path: Path) -> CheckReport:
    """The report on a parser file or folder; what is wrong with it is in the report and never raised."""
    manifest: Manifest | None = None
    error: CasparianError | None = None
    sources: list[Source] = []
    main = main_file(path)
    others = sorted(path.rglob("*.py")) if path.is_dir() else []
    for file in [main, *(other for other in others if other != main and other.relative_to(path).parts[0] != "cases")]:
        try:
            sources.append(read_source(file))
            if file == main:
                manifest = manifest_of(sources[0], path.name if path.is_dir() else path.stem)
        except CasparianError as exc:
            error = error or exc
    imports = sorted({name for source in sources for name, _ in _imports(source.tree)})
    own = {part.removesuffix(".py") for source in sources for part in source.file.relative_to(main.parent).parts}
    foreign = [name for name in imports if name not in sys.stdlib_module_names | own | {"casparian_flow"}]
    return CheckReport(
        path=path,
        manifest=manifest,
        error=error,
        imports=tuple(imports),
        foreign_imports=tuple(foreign),
        findings=tuple(finding for source in sources for finding in _findings(source, path)),
    )


def _imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The top-level modules that are imported anywhere, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno


def _findings(source: Source, path: Path) -> Iterator[Finding]:
    name = source.file.relative_to(path).as_posix() if path.is_dir() else source.file.name
    for module, line in _imports(source.tree):
        if module in _REFUSED_MODULES:
            yield Finding(Grade.REFUSED, name, line, f"imports {module}: {_REFUSED_MODULES[module]}")
        elif module in _NOTED_MODULES:
            yield Finding(Grade.NOTE, name, line, f"imports {module}: {_NOTED_MODULES[module]}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _DYNAMIC:
            if node.func.id != "__import__" and any(_decodes(argument) for argument in node.args):
                yield Finding(Grade.REFUSED, name, node.lineno, f"runs decoded text with {node.func.id}")
            else:
                yield Finding(Grade.NOTE, name, node.lineno, f"calls {node.func.id}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and len(node.value) > LONG_TEXT:
            yield Finding(Grade.NOTE, name, node.lineno, f"a literal of {len(node.value)} characters")


def _decodes(node: ast.expr) -> bool:
    """Whether an expression decodes text or bytes somewhere inside."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            function = part.func
            called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if called in _DECODERS or called == "decode":
                return True
    return False
