"""What one query may use."""

from __future__ import annotations

import msgspec


class QueryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, bytes and rows. Past `rows` or `bytes` the answer is cut and says so."""

    seconds: float = 60.0
    memory_bytes: int = 2 << 30
    rows: int = 1_000_000
    bytes: int = 256 << 20


class TableSource(msgspec.Struct, frozen=True, kw_only=True):
    """A published table as the child gets it: Parquet files, or rows as an Arrow stream in a file.

    `schema` is the serialised Arrow schema of the whole; rows of `removed_jobs` are left out. A column in `older` is
    the first value that is not null of those that it is called by in the schema.
    """

    schema_name: str
    name: str
    columns: list[str]
    older: dict[str, list[str]] = {}
    files: list[str] = []
    schema: bytes = b""
    removed_jobs: list[int] = []
    stream: str | None = None


class QueryOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is told: the query and the only tables it can see."""

    text: str
    tables: list[TableSource]
    limits: QueryLimits
