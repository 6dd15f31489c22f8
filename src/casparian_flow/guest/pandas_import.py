"""Keeps pyarrow from importing pandas where nobody uses it.

With the first Python list that pyarrow converts it imports pandas, if that is installed, to see whether the list is
one of its series: 0.2 to 0.6 seconds for every process. pyarrow tries once, so once is made to fail.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

import pyarrow as pa

_WORD = b"pandas"


class _Absent(MetaPathFinder):
    """Answers that there is no pandas."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Raises ModuleNotFoundError for pandas, leaves everything else to the others."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def forgo_pandas() -> None:
    """Let pyarrow believe in this process that there is no pandas, unless it was imported already."""
    if "pandas" in sys.modules:
        return
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(absent)


def spare_pandas(path: Path, requires: Sequence[str]) -> bool:
    """Forgo pandas unless the parser mentions or requires it. Says whether it does."""
    if "pandas" in sys.modules or _mentions_pandas(path) or any(name.startswith("pandas") for name in requires):
        return False
    forgo_pandas()
    return True


def _mentions_pandas(path: Path) -> bool:
    files = path.rglob("*.py") if path.is_dir() else [path]
    return any(_WORD in file.read_bytes() for file in files)
