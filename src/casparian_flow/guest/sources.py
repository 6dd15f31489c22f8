"""Imports the code of a parser from its sources alone.

Compiled files are not part of what identifies a parser, so they are neither read nor written: a forged one beside a
source would run in its place.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class SourceOnlyLoader(SourceFileLoader):
    """Compiles the source at every start."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the source as it is now."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def import_parser(path: Path) -> ModuleType:
    """The main module of a parser. The modules of a folder can import each other; a single file stands alone."""
    file = path
    if path.is_dir():
        file = path / "parser.py"
        _open_folder(path)
    name = "parser" if path.is_dir() else f"parser_{path.stem}"
    loader = SourceOnlyLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _open_folder(folder: Path) -> None:
    prefix = str(folder)

    def hook(entry: str) -> FileFinder:
        if entry != prefix and not entry.startswith(prefix + "/"):
            raise ImportError(entry)
        return FileFinder(entry, (SourceOnlyLoader, [".py"]))

    sys.path_hooks.insert(0, hook)
    sys.path.insert(0, prefix)
