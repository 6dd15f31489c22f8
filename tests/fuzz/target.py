"""What a fuzz target is: a reader of foreign bytes, the law it keeps, and bytes to begin with."""

from __future__ import annotations

import atexit
import importlib
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TARGETS = {
    "frames": "the frames of a guest, from its socket to checked Arrow data",
    "delimited": "delimited text, by both readers of the parser",
    "manifest": "the source of a parser, read for its manifest",
    "log_entry": "an entry of a table's log, and a checkpoint",
    "messages": "the messages between sentinel and worker",
}
"""Every target by the name of its module, with what it reads."""

Change = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """`check` raises for bytes that break the law, whatever they are; `seeds` are sound bytes to change.

    `mutate`, where bytes have a frame that random changes would only break, changes what is inside: with the given
    change of some bytes, and the same way for the same state of the random numbers.
    """

    law: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[bytes, Change, random.Random], bytes] | None = None


def load_target(name: str) -> Target:
    """The target of that name; what it reads with is imported here and not before."""
    target: Target = importlib.import_module(f"{__package__}.{name}").TARGET
    return target


def scratch() -> Path:
    """A new folder that is gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="casparian-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def blind_change(chance: random.Random) -> Change:
    """A change of some bytes that is led by nothing, for where no fuzzer is installed."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.randint(0, len(changed))
            length = min(chance.choice([1, 1, 2, 4, 8, 64]), len(changed) - at)
            match chance.randrange(5):
                case 0:
                    changed[at : at + length] = chance.randbytes(length)
                case 1:
                    del changed[at : at + length]
                case 2:
                    changed[at:at] = changed[at : at + length] * chance.choice([1, 1, 300])
                case 3:
                    changed[at:at] = chance.choice(_ODD)
                case _:
                    changed[at : at + 1] = bytes([(changed[at] if at < len(changed) else 0) ^ 1 << chance.randrange(8)])
        return bytes(changed)

    return change


_ODD = [
    *(b"\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"-1", b"9" * 30, b"1e999", b"null", b"NaN"),
    *(
        b'"',
        b'""',
        b",",
        b"\n",
        b"\r\n",
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"[" * 40,
        b"{" * 40,
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
    ),
]


def changed(target: Target, data: bytes, chance: random.Random) -> bytes:
    """The bytes after a blind change of a kind that suits the target."""
    change = blind_change(chance)
    if target.mutate is None or chance.random() < 0.3:
        return change(data)
    return target.mutate(data, change, chance)
