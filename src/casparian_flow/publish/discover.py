"""Finds the parsers that there are: the shipped ones, those of the home's plugin folder, and one by its path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import casparian_flow
from casparian_flow.core.artifacts import ParserArtifact, ParserOrigin, ParserStatus
from casparian_flow.core.errors import CasparianError, NotFound, ParserInvalid
from casparian_flow.publish.artifact import VersionOf, artifact_of, installed_version
from casparian_flow.publish.manifest import Manifest, read_manifest

SHIPPED_FOLDER = Path(casparian_flow.__file__).parent / "parsers"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundParser:
    """A parser, or what keeps the thing at `path` from being one: either `artifact` and `manifest`, or `error`."""

    path: Path
    origin: ParserOrigin
    manifest: Manifest | None = None
    artifact: ParserArtifact | None = None
    error: CasparianError | None = None


def shipped_parsers(folder: Path = SHIPPED_FOLDER) -> list[FoundParser]:
    """Every folder with `parser.py` under the package's parsers, whatever kind of evidence it is filed under."""
    paths = (file.parent for file in folder.rglob("parser.py") if "cases" not in file.relative_to(folder).parts)
    return _found(paths, ParserOrigin.SHIPPED, ParserStatus.ACTIVE)


def plugin_parsers(folder: Path) -> list[FoundParser]:
    """The `*.py` files and the folders with `parser.py` right under the plugin folder; all of them pending."""
    if not folder.is_dir():
        return []
    paths = [
        path
        for path in folder.iterdir()
        if not path.name.startswith((".", "_")) and (path.suffix == ".py" or (path / "parser.py").is_file())
    ]
    return _found(paths, ParserOrigin.PLUGIN, ParserStatus.PENDING)


def named_parser(name: str, plugins: Path | None, cwd: Path) -> FoundParser:
    """The usable parser of that name, shipped ones first, else the one at that path.

    Raises NotFound, or ParserInvalid with what is wrong with it.
    """
    known = [*shipped_parsers(), *(plugin_parsers(plugins) if plugins else [])]
    found = next((each for each in known if each.manifest is not None and each.manifest.name == name), None)
    return found or local_parser(_path_of(name, known, cwd))


def parser_path(name: str, plugins: Path, cwd: Path) -> Path:
    """Where the parser of that name lies, whether it can be used or not, else the path itself; raises NotFound."""
    return _path_of(name, [*shipped_parsers(), *plugin_parsers(plugins)], cwd)


def _path_of(name: str, known: Iterable[FoundParser], cwd: Path) -> Path:
    path = (cwd / name).resolve()
    if path.suffix == ".py" and path.is_file():
        return path
    named = next(
        (each.path for each in known if name == (each.manifest.name if each.manifest else each.path.stem)), None
    )
    if named is None and not path.exists():
        raise NotFound(f"there is no parser {name}", why="neither a known name nor a file", fix="casparian parser list")
    return named or path


def local_parser(path: Path) -> FoundParser:
    """The parser at a path that a person named; raises what is wrong with it."""
    if path.is_dir() and not (path / "parser.py").is_file():
        raise ParserInvalid("the folder has no parser.py", where=str(path))
    if not path.exists():
        raise ParserInvalid("there is no such parser", where=str(path))
    return _read(path.absolute(), ParserOrigin.LOCAL, ParserStatus.PENDING, installed_version)


def _found(paths: Iterable[Path], origin: ParserOrigin, status: ParserStatus) -> list[FoundParser]:
    found = []
    version_of = cache(installed_version)
    for path in sorted(paths):
        try:
            found.append(_read(path, origin, status, version_of))
        except CasparianError as error:
            found.append(FoundParser(path=path, origin=origin, error=error))
    return found


def _read(path: Path, origin: ParserOrigin, status: ParserStatus, version_of: VersionOf) -> FoundParser:
    manifest = read_manifest(path)
    artifact = artifact_of(path, origin, status, manifest, version_of)
    return FoundParser(path=path, origin=origin, manifest=manifest, artifact=artifact)
