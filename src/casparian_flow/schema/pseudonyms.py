"""Pseudonyms: keyed digests that stay equal for equal values, and that nobody without the key can try values on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.errors import InvariantBroken

KEY_BYTES = 32
_ABOUT = b"casparian-flow pseudonym v1\0"
_BLOCK = 64
"""What SHA-256 takes in at once; keys are shorter."""
_DIGITS = 32
"""128 bits, as hex."""


def pseudonyms(texts: pa.Array, key: bytes) -> pa.Array:
    """Each text as its pseudonym; null stays null. It depends on text and key alone, so that columns can be joined.

    Raises InvariantBroken without a whole key: a digest without one would be open to everybody who guesses.
    """
    if len(key) != KEY_BYTES:
        raise InvariantBroken("values cannot become pseudonyms without the home's key")
    distinct = pc.dictionary_encode(texts)
    if not len(distinct.dictionary):
        return pa.nulls(len(texts), pa.string())
    found = list(_digests(distinct.dictionary.cast(pa.binary()).to_pylist(), key))
    return pa.array(found, pa.string()).take(distinct.indices)


def _digests(values: Sequence[bytes], key: bytes) -> Iterator[str]:
    """HMAC-SHA-256 of each value, the two halves of the key hashed once: less than half the time of `hmac.digest`."""
    block = key.ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + _ABOUT)
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
    for value in values:
        first, second = inner.copy(), outer.copy()
        first.update(value)
        second.update(first.digest())
        yield second.hexdigest()[:_DIGITS]
