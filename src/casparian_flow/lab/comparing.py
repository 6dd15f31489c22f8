"""Rows of two readings of files, joined by their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.core.lineage import LINEAGE_COLUMNS, SOURCE_ROW

if TYPE_CHECKING:
    import duckdb

MEMORY = "512MB"
Rows = Callable[[], pa.RecordBatchReader]
"""Opens rows, of which each carries its place in `_cf_source_row`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """What one reading brought to one table: how many rows, their digest, and how to see them.

    Accepted rows are only read where the digests of both sides differ, rejected ones where there are any.
    """

    accepted: int
    rejected: int
    digest: str
    """Empty where nothing was accepted."""
    read_accepted: Rows
    read_rejected: Rows


FileRows = Mapping[str, TableRows]
"""What one reading of a file brought, by table."""


@dataclass(frozen=True, slots=True)
class PlacedRows:
    """The rows of many files in one table, each as its `file` and its `place` in it, both numbers."""

    accepted: pa.RecordBatchReader
    rejected: pa.RecordBatchReader


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDifference:
    """What a reading brings that another did not, over all tables.

    Of a table, `gained` less `lost` is by how much its accepted rows become more, but for records that were rejected
    before and are nowhere now: they count as lost, too. A row that is rejected now and was accepted is lost and
    `quarantined`; one that is accepted now and was rejected is gained and `released`. `digests` are those of the
    accepted rows of each table, old and new.
    """

    gained: int = 0
    lost: int = 0
    changed: int = 0
    quarantined: int = 0
    released: int = 0
    digests: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """Whether both came to the same rows of the same names and types in the same order, and rejected the same."""
        counted = self.gained or self.lost or self.changed or self.quarantined or self.released
        return not counted and all(old == new for old, new in self.digests.values())


_NO_ROWS = pa.schema([(SOURCE_ROW, pa.int64())])


def no_rows() -> pa.RecordBatchReader:
    """A reading of a table that it brought nothing to."""
    return pa.RecordBatchReader.from_batches(_NO_ROWS, [])


NOTHING = TableRows(accepted=0, rejected=0, digest="", read_accepted=no_rows, read_rejected=no_rows)

_PLACES = """
WITH accepted_rows AS ({accepted}),
alike AS (SELECT {place}, sum(o) AS o, sum(n) AS n, least(sum(o), sum(n)) AS b FROM accepted_rows
    GROUP BY {place}{columns}),
accepted AS (SELECT {place}, sum(o) AS o, sum(n) AS n, sum(b) AS b FROM alike GROUP BY {place}),
rejected_rows AS (
    SELECT {place}, 1 AS o, 0 AS n FROM old_rejected UNION ALL SELECT {place}, 0, 1 FROM new_rejected
),
rejected AS (SELECT {place}, sum(o) AS o, sum(n) AS n FROM rejected_rows GROUP BY {place}),
steps AS (
    SELECT
        greatest(coalesce(a.n, 0) - coalesce(a.o, 0), 0) AS gained,
        greatest(coalesce(a.o, 0) - coalesce(a.n, 0), 0) AS lost,
        least(coalesce(a.o, 0), coalesce(a.n, 0)) - coalesce(a.b, 0) AS changed,
        greatest(coalesce(r.n, 0) - coalesce(r.o, 0), 0) AS quarantined,
        greatest(coalesce(r.o, 0) - coalesce(r.n, 0), 0) AS unrejected
    FROM accepted a FULL JOIN rejected r USING ({place})
)
SELECT
    coalesce(sum(gained), 0),
    coalesce(sum(lost + greatest(unrejected - gained, 0)), 0),
    coalesce(sum(changed), 0),
    coalesce(sum(quarantined), 0),
    coalesce(sum(least(unrejected, gained)), 0)
FROM steps
"""
_SIDES = (("old", "1 AS o, 0 AS n"), ("new", "0 AS o, 1 AS n"))
_NAMES = ("gained", "lost", "changed", "quarantined", "released")


class Comparing:
    """Compares readings of files, one after the other, in one engine; it is closed at the end of the block."""

    def __init__(self, scratch: Path) -> None:
        """Memory is bounded; what does not fit goes to `scratch`."""
        self._settings = {"memory_limit": MEMORY, "threads": 1, "temp_directory": str(scratch)}
        self._engine: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Comparing:
        """Ready, and nothing is started before there is something to compare."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """The engine is gone."""
        self._close()

    def compare(self, old: FileRows, new: FileRows) -> FileDifference:
        """How a new reading of a file differs from an old one; raises what reading the rows raises.

        Rows of one place are compared as bags, so a record that is several rows may give them in another order. A
        column that only one side has counts as empty in the other; values of another type are compared as text.
        """
        totals = {each.name: 0 for each in fields(FileDifference) if each.name != "digests"}
        digests = {}
        for table in sorted({*old, *new}):
            before, after = old.get(table, NOTHING), new.get(table, NOTHING)
            digests[table] = before.digest, after.digest
            is_same = before.digest == after.digest
            if is_same and not before.rejected and not after.rejected:
                continue
            try:
                counts = self._count(before, after, is_same)
            except BaseException:
                self._close()  # whatever is left of it is nothing for the next file
                raise
            for name, count in counts.items():
                totals[name] += count
        return FileDifference(**totals, digests=digests)

    def compare_places(self, old: PlacedRows, new: PlacedRows) -> FileDifference:
        """How new readings of many files differ from old ones in one table, by the places of their rows alone.

        No row counts as changed. Raises what reading the rows raises.
        """
        engine = self._started()
        views = {
            "old_accepted": old.accepted,
            "new_accepted": new.accepted,
            "old_rejected": old.rejected,
            "new_rejected": new.rejected,
        }
        try:
            for name, reader in views.items():
                engine.register(name, reader)
            sides = (f"SELECT file, place, {ones} FROM {name}_accepted" for name, ones in _SIDES)  # noqa: S608 our names
            query = _PLACES.format(place="file, place", accepted=" UNION ALL ".join(sides), columns="")
            [found] = engine.execute(query).fetchall()
        finally:
            self._close()  # with what is left of the readers
        gained, lost, changed, quarantined, released = map(int, found)
        return FileDifference(gained=gained, lost=lost, changed=changed, quarantined=quarantined, released=released)

    def _started(self) -> duckdb.DuckDBPyConnection:
        if self._engine is None:
            import duckdb  # noqa: PLC0415 - 0.1 s that every run would take which compares nothing

            self._engine = duckdb.connect(config=self._settings)  # type: ignore[arg-type]
        return self._engine

    def _count(self, old: TableRows, new: TableRows, is_same: bool) -> dict[str, int]:
        """The steps of one table; where its accepted rows are the same they are not read."""
        engine = self._started()
        readers = [
            no_rows() if is_same else old.read_accepted(),
            no_rows() if is_same else new.read_accepted(),
            old.read_rejected() if old.rejected else no_rows(),
            new.read_rejected() if new.rejected else no_rows(),
        ]
        with closing(readers[0]), closing(readers[1]), closing(readers[2]), closing(readers[3]):
            columns = _columns(readers[0].schema, readers[1].schema)
            sides = []
            for (name, ones), reader in zip(_SIDES, readers[:2], strict=True):
                engine.register(f"{name}_accepted", _renamed(reader, columns))
                shown = "".join(f", {column.of(reader.schema)}" for column in columns)
                sides.append(f"SELECT place, {ones}{shown} FROM {name}_accepted")  # noqa: S608 our own names only
            engine.register("old_rejected", _renamed(readers[2], ()))
            engine.register("new_rejected", _renamed(readers[3], ()))
            names = "".join(f", {column.ours}" for column in columns)
            [found] = engine.execute(
                _PLACES.format(place="place", accepted=" UNION ALL ".join(sides), columns=names)
            ).fetchall()
            for view in ("old_accepted", "new_accepted", "old_rejected", "new_rejected"):
                engine.unregister(view)
        return dict(zip(_NAMES, map(int, found), strict=True))

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of either side, under a name of ours; `is_text`: it has another type in each."""

    name: str
    ours: str
    is_text: bool

    def of(self, schema: pa.Schema) -> str:
        if self.name not in schema.names:
            return f"NULL AS {self.ours}"
        return f"CAST({self.ours} AS VARCHAR) AS {self.ours}" if self.is_text else self.ours


def _columns(old: pa.Schema, new: pa.Schema) -> list[_Column]:
    names = [name for name in dict.fromkeys([*new.names, *old.names]) if name not in LINEAGE_COLUMNS]
    return [
        _Column(
            name,
            f"c{at}",
            name in old.names and name in new.names and _plain(old.field(name).type) != _plain(new.field(name).type),
        )
        for at, name in enumerate(names)
    ]


def _renamed(reader: pa.RecordBatchReader, columns: tuple[_Column, ...] | list[_Column]) -> pa.RecordBatchReader:
    """The rows under our names, which cannot collide; times as numbers, since DuckDB would cut them."""
    mine = [column for column in columns if column.name in reader.schema.names]
    kinds = [(column, reader.schema.field(column.name).type) for column in mine]
    schema = pa.schema(
        [
            ("place", pa.int64()),
            *((column.ours, kind if column.is_text else _plain(kind)) for column, kind in kinds),
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            arrays = [batch.column(SOURCE_ROW)]
            for column, kind in kinds:
                array = batch.column(column.name)
                arrays.append(array if column.is_text else array.cast(_plain(kind)))
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _plain(kind: pa.DataType) -> pa.DataType:
    if pt.is_date32(kind):
        return pa.int32()
    return pa.int64() if pt.is_timestamp(kind) or pt.is_time(kind) or pt.is_duration(kind) else kind
