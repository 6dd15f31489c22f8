"""Imports what any side imports, once: afterwards no library is read from the disk within a measurement."""

from __future__ import annotations

import alembic  # noqa: F401
import dlt.sources.filesystem  # noqa: F401
import duckdb  # noqa: F401
import evtx  # noqa: F401
import pandas  # noqa: F401
import polars  # noqa: F401
import sqlalchemy  # noqa: F401
