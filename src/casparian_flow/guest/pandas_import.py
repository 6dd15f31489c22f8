"""Keeps pyarrow from importing pandas for a parser that does not use it.

With the first Python list that pyarrow converts it imports pandas, if that is installed, to see whether the list is
one of its series: 0.2 to 0.6 seconds for every guest. pyarrow tries once, so once is made to fail.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

_WORD = b"pandas"


def spare_pandas(path: Path, requires: Sequence[str]) -> bool:
    """Let pyarrow believe that there is no pandas, unless the parser mentions it or requires anything; whether it does."""
    if requires or "pandas" in sys.modules or _mentions_pandas(path):
        return False
    blocked: Any = None
    sys.modules["pandas"] = blocked  # to the import system: there is none
    pa.array([None])
    del sys.modules["pandas"]
    return True


def _mentions_pandas(path: Path) -> bool:
    files = path.rglob("*.py") if path.is_dir() else [path]
    return any(_WORD in file.read_bytes() for file in files)
