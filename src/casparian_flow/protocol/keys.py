"""CURVE key pairs, and the files that keep them where only their owner reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import zmq

from casparian_flow.core.errors import UsageError, VerificationFailed

Z85 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}$")]
"""32 bytes as ZeroMQ writes them in text."""

Kept = TypeVar("Kept", bound=msgspec.Struct)


class KeyPair(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whoever holds the secret half is who the public half names."""

    public: Z85
    secret: Z85

    def __repr__(self) -> str:
        """Without the secret."""
        return f"KeyPair(public={self.public!r})"


def new_keys() -> KeyPair:
    """A fresh pair."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public=public.decode(), secret=secret.decode())


def keys_of_secret(secret: str) -> KeyPair:
    """The pair that a secret half belongs to."""
    return KeyPair(public=zmq.curve_public(secret.encode()).decode(), secret=secret)


def sentinel_keys(path: Path) -> KeyPair:
    """The key pair of a home's sentinel, made when it is first asked for; of several who make one, one wins."""
    if not path.exists():
        write_private(path, new_keys())
    return read_private(path, KeyPair)


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
