"""Key files: written once, read by their owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from casparian_flow.core.errors import UsageError, VerificationFailed

Kept = TypeVar("Kept", bound=msgspec.Struct)


def write_private(path: Path, value: msgspec.Struct) -> bool:
    """Writes a file that only its owner reads, unless the name exists; whether it was written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        _write(beside, value)
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink(missing_ok=True)
    return True


def replace_private(path: Path, value: msgspec.Struct) -> None:
    """Writes such a file in place of the one before."""
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        _write(beside, value)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_private(path: Path, kind: type[Kept]) -> Kept:
    """Reads such a file; raises UsageError if others may read it, VerificationFailed if it holds something else."""
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise UsageError(
                "a key file can be read by others",
                where=str(path),
                why=f"its mode is {mode:04o}",
                fix=f"chmod 600 {path}",
            )
        data = file.read(1 << 16)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise VerificationFailed("a key file is damaged", where=str(path), why=str(exc)) from exc


def _write(path: Path, value: msgspec.Struct) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(value) + b"\n")
        file.flush()
        os.fsync(file.fileno())
