"""A folder that several processes fill and tidy at once: nobody removes it while somebody puts something in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from casparian_flow.sinks.durable import make_folder
from casparian_flow.sinks.turn import folder_turn, is_still


@contextmanager
def filling(folder: Path) -> Iterator[None]:
    """The folder, made if need be; it stays until the block ends, and after that if something is in it then."""
    while True:
        make_folder(folder)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # tidied up by somebody who was done, meanwhile
            continue
        try:
            with folder_turn(descriptor, folder, alone=False):
                if is_still(descriptor, folder):
                    yield
                    return
        finally:
            os.close(descriptor)


@contextmanager
def tidying(folder: Path) -> Iterator[bool]:
    """Whether the folder is there; nobody fills it before the block ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        yield False
        return
    try:
        with folder_turn(descriptor, folder, alone=True):
            yield is_still(descriptor, folder)
    finally:
        os.close(descriptor)
