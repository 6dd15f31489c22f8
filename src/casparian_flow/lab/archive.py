"""Lists what an archive holds, without extracting anything and in bounded memory and time."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from casparian_flow.core.errors import SourceUnreadable, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.core.times import rfc3339
from casparian_flow.lab.zip_directory import zip_members
from casparian_flow.scout.magic import archive_name

MOST_BYTES = 4 << 30
"""So much of a compressed archive is unpacked to find its members; what lies beyond is not listed."""
_MOST_AT_ONCE = 16 << 20
_HEAD = 1 << 9
_BOMB_RATIO = 1000
_OPENERS: dict[str, Callable[[BinaryIO], Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
_DAMAGE = (OSError, EOFError, tarfile.TarError, lzma.LZMAError, zlib.error, struct.error, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of an archive. `packed` is null where members are not packed one by one; `problem` warns."""

    name: str
    kind: str
    size: int
    packed: int | None
    modified: str | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The members in the archive's order; `stopped` says why there may be more, empty if these are all."""

    format: str
    members: tuple[Member, ...]
    stopped: str


def list_archive(path: Path, most: int) -> Listing:
    """At most so many members of a zip or a tar, also a compressed one.

    Raises UsageError for a file that is no archive of a known kind, SourceUnreadable for one that cannot be opened.
    """
    try:
        with path.open("rb") as file:
            name = archive_name(file.read(_HEAD))
            file.seek(0)
            if name == "zip":
                return _listing("zip", _zip(file), most)
            if name == "tar":
                return _listing("tar", _tar(file), most)
            if name in _OPENERS:
                with _OPENERS[name](file) as unpacked:
                    return _listing(f"tar, {name}", _tar(unpacked), most)
    except OSError as exc:
        raise SourceUnreadable(f"{path.name} cannot be read", why=exc.strerror or str(exc)) from exc
    raise UsageError(
        f"{path.name} is no archive that can be listed", why=f"its first bytes are {name or 'those of no archive'}"
    )


def _listing(form: str, members: Iterator[Member], most: int) -> Listing:
    found: list[Member] = []
    try:
        found.extend(islice(members, most))
        stopped = f"only the first {most:,} members are listed" if next(members, None) is not None else ""
    except _DAMAGE as exc:
        stopped = f"what follows cannot be listed: {exc}"
    return Listing(format=form, members=tuple(found), stopped=stopped)


def _zip(file: BinaryIO) -> Iterator[Member]:
    for entry in zip_members(file):
        mode = entry.mode
        kind = "folder" if entry.name.endswith(b"/") else "link" if mode and stat.S_ISLNK(mode) else "file"
        problems = _name_problems(display_path(entry.name))
        if entry.is_encrypted:
            problems.append("encrypted")
        if entry.size > _BOMB_RATIO * max(entry.packed, 1):
            problems.append("unpacks to over a thousand times its size")
        yield Member(
            name=display_path(entry.name),
            kind=kind,
            size=entry.size,
            packed=entry.packed,
            modified=entry.modified,
            problem=", ".join(problems),
        )


def _tar(file: BinaryIO) -> Iterator[Member]:
    bounded = cast(IO[bytes], _Bounded(file))
    with tarfile.open(fileobj=bounded, mode="r:", errors="surrogateescape") as archive:
        while (entry := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # else a large archive's list stays in memory
            yield Member(
                name=_inert(entry.name),
                kind=_kind(entry),
                size=entry.size,
                packed=None,
                modified=rfc3339(int(entry.mtime) * 10**9) if 0 <= entry.mtime < 1 << 33 else None,
                problem=", ".join(_name_problems(entry.name) + _link_problems(entry)),
            )


def _kind(entry: tarfile.TarInfo) -> str:
    if entry.isdir():
        return "folder"
    if entry.issym() or entry.islnk():
        return "link"
    return "file" if entry.isfile() else "special"


def _inert(name: str) -> str:
    """A name as text; bytes that are no UTF-8 are shown by their numbers."""
    return display_path(name.encode("utf-8", "surrogateescape"))


def _name_problems(name: str) -> list[str]:
    problems = []
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        problems.append("an absolute path")
    if ".." in name.replace("\\", "/").split("/"):
        problems.append("leads out of its folder")
    return problems


def _link_problems(entry: tarfile.TarInfo) -> list[str]:
    return [f"leads to {_inert(entry.linkname)}"] if entry.issym() or entry.islnk() else []


class _Bounded:
    """A file that gives no more than a header's worth at once, and ends in an error where an archive grows too far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise ValueError("a header of the archive is too large")
        self._check(self._file.tell() + size)
        return self._file.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        self._check(position)
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """The file belongs to who opened it."""

    def _check(self, position: int) -> None:
        if position > MOST_BYTES:
            raise ValueError(f"only the first {MOST_BYTES >> 30} GiB of an archive are looked at")
