"""What keeps rows in their tables though a file that brought them is gone from a source that lets them go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, exists, select

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.notes import Note, noted
from casparian_flow.store.outputs import carrier, carries, newer
from casparian_flow.store.prepared import each_of, listed
from casparian_flow.store.tables import materializations, sources

_its = sources.alias("carrying_sources")
CARRIERS = (
    select(
        newer.c.source_hash,
        carrier.c.display.label("path"),
        carrier.c.is_missing,
        _its.c.id.label("source"),
        _its.c.display.label("root"),
        (_its.c.only != b"").label("is_one_file"),
        _its.c.when_missing,
        noted(Note.SOURCE_REMOVED, _its.c.id).is_not(None).label("is_removed"),
    )
    .select_from(
        newer.join(carrier, carrier.c.current_version_id == newer.c.id).join(_its, _its.c.id == carrier.c.source_id)
    )
    .where(newer.c.source_hash.in_(each_of("hashes")), carries)
    .where(
        exists(
            select(materializations.c.id).where(
                materializations.c.source_hash == newer.c.source_hash,
                materializations.c.is_current.is_(True),
                materializations.c.table_name != "",
            )
        )
    )
    .order_by(carrier.c.is_missing.desc(), carrier.c.id.desc())
)
PINNED = (
    select(materializations.c.source_hash)
    .distinct()
    .where(
        materializations.c.source_hash.in_(each_of("hashes")),
        materializations.c.is_current.is_(True),
        materializations.c.is_pinned.is_(True),
    )
)


def carriers_of(connection: Connection, hashes: Iterable[str]) -> Sequence[AnyRow]:
    """The locations that keep rows of these bytes where they are; those that are there, as far as is known, last."""
    return connection.execute(CARRIERS, {"hashes": listed(list(hashes))}).all()


def pinned(connection: Connection, hashes: Iterable[str]) -> set[str]:
    """Those of these bytes whose rows a revert brought back: they stay whatever became of their files."""
    return set(connection.execute(PINNED, {"hashes": listed(list(hashes))}).scalars())
