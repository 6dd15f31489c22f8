"""An error as kinds and places: never what it says, since a library may repeat a value that must not be seen."""

from __future__ import annotations

import traceback
from pathlib import Path


def kind_and_place(error: BaseException) -> str:
    """The kind of an error, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place


def trace(error: BaseException) -> str:
    """The error and those that led to it, the first one first."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    own = "".join(traceback.format_tb(error.__traceback__)) + kind_and_place(error) + "\n"
    return f"{trace(before)}\n{own}" if before is not None else own
