"""A database that is not there, or in which nothing is ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.sinks.database_engine import Relation


class Nothing:
    """Answers every question with nothing, except that it knows which names are in use."""

    def __init__(self, relations: set[Relation] | None = None) -> None:
        self._relations = relations or set()

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """No rows."""
        return []

    def relations(self) -> set[Relation]:
        """The tables and views of others."""
        return self._relations

    def stream(self, query: str, values: Sequence[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """No batches."""
        return iter(())

    def add(self, statement: str, many: Sequence[Sequence[Any]]) -> NoReturn:
        """Refused."""
        raise InvariantBroken("nothing can be written to a database that is not there")

    def load(self, table: str, columns: Sequence[str], files: Sequence[Path]) -> NoReturn:
        """Refused."""
        raise InvariantBroken("nothing can be written to a database that is not there")
