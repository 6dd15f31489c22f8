"""The key of a home under which values become pseudonyms: made on first need, told only to who needs it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import msgspec

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import VerificationFailed
from casparian_flow.protocol.private_files import read_private, write_private

KEY_BYTES = 32
_ABOUT = b"cf key mark v1"


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: bytes

    def __repr__(self) -> str:
        """Without the key."""
        return "_Kept()"


class Mark(Protocol):
    """Where a home keeps by what it knows its key again; nobody can find the key by it."""

    def known(self) -> str | None:
        """The mark of the key in use, None before one was needed."""
        ...

    def keep(self, mark: str) -> None:
        """Keep the mark of the key that is in use from now on."""
        ...


class PseudonymKey:
    """A home's own key: the same values get the same pseudonyms there, and others in every other home."""

    def __init__(self, path: Path, mark: Mark | None = None) -> None:
        """`path` is where it is kept, or will be; without a `mark` any key is the right one."""
        self._path = path
        self._mark = mark
        self._known = b""

    def needed_by(self, contracts: Iterable[Contract]) -> bytes:
        """The key, if any of the contracts asks for pseudonyms, else nothing.

        It is made when it is first needed; of several who make one, one wins. Raises UsageError if others may read it,
        VerificationFailed if it is damaged, is gone after it was used, or is another one: with that equal values would
        not be equal any more.
        """
        if not any(contract.needs_key for contract in contracts):
            return b""
        if not self._known:
            self._known = self._read()
        return self._known

    def _read(self) -> bytes:
        known = None if self._mark is None else self._mark.known()
        if not self._path.exists():
            if known is not None:
                raise _lost(self._path, "the key of this home's pseudonyms is gone")
            write_private(self._path, _Kept(os.urandom(KEY_BYTES)))
        kept = read_private(self._path, _Kept).key
        if len(kept) != KEY_BYTES:
            why = f"it holds {len(kept)} bytes instead of {KEY_BYTES}"
            raise VerificationFailed("a key file is damaged", where=str(self._path), why=why)
        mark = hashlib.blake2b(kept, digest_size=16, person=_ABOUT).hexdigest()
        if known not in (None, mark):
            raise _lost(self._path, "the key of this home's pseudonyms is another one than before")
        if known is None and self._mark is not None:
            self._mark.keep(mark)
        return kept


def _lost(path: Path, message: str) -> VerificationFailed:
    return VerificationFailed(
        message,
        where=str(path),
        why="under another key the same value has another pseudonym, so that new rows would not match those that are "
        "there; put a copy of the file back, or read the sources into a new home",
        fix=f"cp COPY {path} && chmod 600 {path}",
    )
