"""Keeps numpy from starting threads for linear algebra: a guest reads one file on one core.

OpenBLAS starts one for each further core while numpy is imported, and they spin for a while: a third of the processor
time that a fresh guest took until it had its order. It reads the variable when it is loaded, and never again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = "OPENBLAS_NUM_THREADS"


@contextmanager
def one_core() -> Iterator[None]:
    """What is imported in the block starts no such threads; the environment of the process is empty again after it."""
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[THREADS]
