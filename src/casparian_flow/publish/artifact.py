"""What identifies a parser: the digest of its files, and of the environment it runs in."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from casparian_flow.core.artifacts import ParserArtifact, ParserOrigin, ParserStatus
from casparian_flow.core.errors import EnvironmentMissing, ParserInvalid
from casparian_flow.core.hashing import digest_of_json, digest_of_manifest
from casparian_flow.core.ids import ArtifactHash, EnvHash
from casparian_flow.publish.manifest import Manifest

NOT_PART = frozenset({"cases", "README.md"})
"""What lies at the top of a parser's folder without being part of the artifact."""
MAX_ARTIFACT = 64 << 20
ALWAYS_REQUIRED = "pyarrow"
_NEVER = frozenset({"__pycache__"})
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")

VersionOf = Callable[[str], str]
"""The version of a distribution that is installed; who asks for many parsers at once remembers the answers."""


def installed_version(name: str) -> str:
    """The version of a distribution as it is installed now; raises EnvironmentMissing if it is not."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as exc:
        raise EnvironmentMissing(
            f"the parser requires {name}, which is not installed here", fix=f"pip install {name}"
        ) from exc


def artifact_of(
    path: Path,
    origin: ParserOrigin,
    status: ParserStatus,
    manifest: Manifest,
    version_of: VersionOf = installed_version,
) -> ParserArtifact:
    """The parser at `path` as it is now, with its manifest.

    Raises ParserInvalid, and EnvironmentMissing for what it requires.
    """
    return ParserArtifact(
        name=manifest.name,
        version=manifest.version,
        artifact_hash=artifact_hash(path),
        env_hash=environment_hash(manifest.requires, version_of),
        path=str(path),
        origin=origin,
        status=status,
    )


def artifact_hash(path: Path) -> ArtifactHash:
    """The digest of the parser's files: of the one file under its name, or of everything in the folder that is part."""
    files = {path.name: path} if not path.is_dir() else dict(_files(path))
    try:
        if sum(file.stat().st_size for file in files.values()) > MAX_ARTIFACT:
            raise ParserInvalid(f"the parser's files take more than {MAX_ARTIFACT >> 20} MiB", where=str(path))
        contents = [(name, file.read_bytes()) for name, file in files.items()]
    except OSError as exc:
        raise ParserInvalid(f"cannot read the parser: {exc.strerror}", where=str(exc.filename or path)) from exc
    return ArtifactHash(digest_of_manifest(contents))


def environment_hash(requires: Sequence[str], version_of: VersionOf = installed_version) -> EnvHash:
    """The digest of the Python version and of the required distributions' versions; pyarrow is always required.

    Raises EnvironmentMissing that names the first distribution that is not installed.
    """
    names = {_normalised(name) for name in (ALWAYS_REQUIRED, *requires)}
    pairs = sorted(f"{name}=={version_of(name)}" for name in names)
    return EnvHash(digest_of_json(["environment", platform.python_version(), pairs]))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """What is part of the artifact: all but `NOT_PART`, compiled files (which no guest reads) and hidden folders."""
    for base, names, files in os.walk(folder):
        top = Path(base) == folder
        names[:] = [name for name in names if not (name in _NEVER or name[0] == "." or (top and name in NOT_PART))]
        for name in names:
            if Path(base, name).is_symlink():
                raise ParserInvalid("a link to a folder cannot be part of a parser", where=str(Path(base, name)))
        for name in files:
            file = Path(base, name)
            if file.is_file() and file.suffix != ".pyc" and not (top and name in NOT_PART):
                yield file.relative_to(folder).as_posix(), file


def _normalised(requirement: str) -> str:
    match = _NAME.match(requirement)
    if match is None:
        raise ParserInvalid(f"`requires` names no distribution: {requirement!r}")
    return re.sub(r"[-_.]+", "-", match[1]).lower()
