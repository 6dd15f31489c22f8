"""What stays of rows whose file is gone: which went, when, and by whose decision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, exists, func, insert, literal_column, select, update

from casparian_flow.core.hashing import canonical_json
from casparian_flow.core.outputs import Role
from casparian_flow.core.proposals import Kind
from casparian_flow.core.tombstones import TombstoneAction, WhenMissing
from casparian_flow.store.emptied import is_believed
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import jobs, locations, materializations, proposals, sources, tombstones, versions

POLICY = "policy"
"""Who retires: nobody was asked."""
ADD = insert(tombstones)
GONE_PLACES = (
    select(versions.c.source_hash, locations.c.id, locations.c.display, sources.c.id.label("source"))
    .select_from(
        locations.join(versions, versions.c.id == locations.c.current_version_id).join(
            sources, sources.c.id == locations.c.source_id
        )
    )
    .where(
        versions.c.source_hash.in_(bindparam("hashes", expanding=True)),
        locations.c.is_missing.is_(True),
        sources.c.when_missing == literal_column(f"'{WhenMissing.RETIRE}'"),
    )
    .order_by(locations.c.id)
)
_present = locations.alias("present_locations")
_now = versions.alias("present_versions")
_stone = tombstones.alias("stones")
LOST = (
    select(locations.c.source_id, versions.c.source_hash, locations.c.display, materializations.c.job_id)
    .select_from(
        locations.join(sources, sources.c.id == locations.c.source_id)
        .join(versions, versions.c.location_id == locations.c.id)
        .join(materializations, materializations.c.source_hash == versions.c.source_hash)
    )
    .add_columns((materializations.c.accepted + materializations.c.quarantined).label("rows"))
    .where(
        locations.c.is_missing.is_(True),
        sources.c.when_missing == literal_column(f"'{WhenMissing.PURGE}'"),
        is_believed(locations),
        materializations.c.table_name != "",
        ~exists(
            select(_present.c.id)
            .join(_now, _now.c.id == _present.c.current_version_id)
            .where(_now.c.source_hash == versions.c.source_hash, _present.c.is_missing.is_(False))
        ),
        ~exists(
            select(_stone.c.id).where(
                _stone.c.source_hash == versions.c.source_hash,
                _stone.c.action == literal_column(f"'{TombstoneAction.PURGED}'"),
                _stone.c.at_ns > materializations.c.recorded_at_ns,
            )
        ),
    )
    .order_by(locations.c.source_id, versions.c.source_hash, materializations.c.job_id)
)
ANY_PURGING = select(sources.c.id).where(sources.c.when_missing == literal_column(f"'{WhenMissing.PURGE}'")).limit(1)
OUTPUTS = select(materializations).where(
    materializations.c.source_hash.in_(bindparam("hashes", expanding=True)), materializations.c.table_name != ""
)
JOBS = select(jobs.c.id).where(jobs.c.source_hash.in_(bindparam("hashes", expanding=True)))
_erases = tombstones.c.action.in_(
    [literal_column(f"'{action}'") for action in (TombstoneAction.PURGED, TombstoneAction.TRIMMED)]
)
_is_erased = func.json_extract(tombstones.c.receipt, "$.is_erased")
DUE = select(tombstones).where(_erases, _is_erased == 0).order_by(tombstones.c.id)
ANY_PURGE = (
    select(proposals.c.id)
    .where(proposals.c.kind == literal_column(f"'{Kind.PURGE}'"), proposals.c.state == literal_column("'applied'"))
    .limit(1)
)
SET_ERASED = (
    update(tombstones)
    .where(tombstones.c.id == bindparam("tombstone"))
    .values(files=bindparam("names"), receipt=bindparam("its_receipt"))
)
SET_RECEIPT = (
    update(tombstones).where(tombstones.c.id == bindparam("tombstone")).values(receipt=bindparam("its_receipt"))
)
ERASED_OF = (
    select(tombstones)
    .where(_erases, tombstones.c.sink_uri == bindparam("sink"), tombstones.c.table_name == bindparam("table"))
    .order_by(tombstones.c.id)
)
_again = materializations.alias("read_again")
STILL_ERASED = (
    select(tombstones.c.source_hash, func.max(tombstones.c.proposal_id).label("proposal"))
    .where(
        tombstones.c.action == bindparam("how"),
        ~exists(
            select(_again.c.id).where(
                _again.c.source_hash == tombstones.c.source_hash, _again.c.recorded_at_ns > tombstones.c.at_ns
            )
        ),
    )
    .group_by(tombstones.c.source_hash)
)
ERASED_ROWS_OF = (
    select(
        tombstones.c.proposal_id,
        tombstones.c.table_name,
        func.max(tombstones.c.rows).label("rows"),
        func.max(tombstones.c.at_ns).label("at_ns"),
    )
    .where(_erases, tombstones.c.source_hash == bindparam("hash"))
    .group_by(tombstones.c.proposal_id, tombstones.c.table_name)
    .order_by(tombstones.c.proposal_id, tombstones.c.table_name)
)
GONE_BY = (
    select(tombstones.c.table_name, tombstones.c.source_hash, func.max(tombstones.c.rows).label("rows"))
    .where(tombstones.c.proposal_id == bindparam("purge"))
    .group_by(tombstones.c.table_name, tombstones.c.source_hash)
)
_quarantined = func.coalesce(func.json_extract(tombstones.c.receipt, "$.quarantined"), 0)
RETIRED_SINCE = (
    select(
        tombstones.c.table_name,
        tombstones.c.source_hash,
        func.max(tombstones.c.rows - _quarantined).label("accepted"),
        func.max(_quarantined).label("quarantined"),
    )
    .where(
        tombstones.c.action == literal_column(f"'{TombstoneAction.RETIRED}'"), tombstones.c.at_ns >= bindparam("since")
    )
    .group_by(tombstones.c.table_name, tombstones.c.source_hash)
    .order_by(tombstones.c.table_name, tombstones.c.source_hash)
)
AT_ONCE = 10_000


def add_retired(connection: Connection, rows: Sequence[AnyRow], now_ns: int) -> None:
    """Keep that these materializations go because a source has their file no more; nothing for other reasons."""
    hashes = sorted({row.source_hash for row in rows})
    places: dict[str, AnyRow] = {}
    for at in range(0, len(hashes), AT_ONCE):
        found = connection.execute(GONE_PLACES, {"hashes": hashes[at : at + AT_ONCE]})
        places.update((row.source_hash, row) for row in found)
    add(
        connection,
        (
            {
                "source_hash": row.source_hash,
                "location_id": place.id,
                "table_name": row.table_name,
                "sink_uri": row.sink_uri,
                "rows": row.accepted + row.quarantined,
                "action": TombstoneAction.RETIRED,
                "files": "[]",
                "actor": POLICY,
                "at_ns": now_ns,
                "receipt": canonical_json(
                    {
                        "job": str(row.job_id),
                        "path": place.display,
                        "source": place.source,
                        "quarantined": row.quarantined,
                    }
                ),
            }
            for row in rows
            if (place := places.get(row.source_hash)) is not None and row.table_name
        ),
    )


def add(connection: Connection, many: Iterable[dict[str, object]]) -> None:
    """Keep tombstones; each has every column but `proposal_id`, which may be left out."""
    values = [{"proposal_id": None, **each} for each in many]
    if values:
        connection.execute(ADD, values)


def lost_files(connection: Connection) -> Sequence[AnyRow]:
    """What rows came from of files that sources which purge have no more, and that no file carries now, by source.

    Also of the older versions of such a file. What is erased is not lost any more, unless it was read again since.
    """
    return connection.execute(LOST).all() if connection.execute(ANY_PURGING).first() is not None else []


def outputs_of_bytes(connection: Connection, hashes: Iterable[str]) -> Sequence[AnyRow]:
    """Everything that was ever landed of these bytes, current or not."""
    ordered = sorted(hashes)
    return [
        row
        for at in range(0, len(ordered), AT_ONCE)
        for row in connection.execute(OUTPUTS, {"hashes": ordered[at : at + AT_ONCE]})
    ]


def jobs_of_bytes(connection: Connection, hashes: Iterable[str]) -> frozenset[int]:
    """Every job that was to read these bytes, however it ended."""
    ordered = sorted(hashes)
    return frozenset(
        job
        for at in range(0, len(ordered), AT_ONCE)
        for job in connection.execute(JOBS, {"hashes": ordered[at : at + AT_ONCE]}).scalars()
    )


def due(connection: Connection) -> Sequence[AnyRow]:
    """What is to be erased and was not yet, to its end."""
    # Homes without an applied purge, which are most, have nothing to look through.
    return connection.execute(DUE).all() if connection.execute(ANY_PURGE).first() is not None else []


def erased_bytes(connection: Connection) -> dict[str, int]:
    """The bytes of which all rows were erased for good and that nobody read since, each with its purge."""
    return _still(connection, TombstoneAction.PURGED)


def trimmed_bytes(connection: Connection) -> dict[str, int]:
    """The bytes of which rejected rows were erased for good and that nobody read since, each with its purge."""
    return _still(connection, TombstoneAction.TRIMMED)


def trimmed_jobs(connection: Connection, of_jobs: Iterable[int]) -> frozenset[int]:
    """Those of the jobs that read such bytes: reading them again would bring back what was erased."""
    hashes = sorted(trimmed_bytes(connection))
    return jobs_of_bytes(connection, hashes) & set(of_jobs) if hashes else frozenset()


def _still(connection: Connection, how: TombstoneAction) -> dict[str, int]:
    if connection.execute(ANY_PURGE).first() is None:
        return {}
    return {row.source_hash: row.proposal for row in connection.execute(STILL_ERASED, {"how": how})}


def erased_files(connection: Connection, sink: str, table: str) -> dict[Role, frozenset[str]]:
    """The data files of a table that purges removed."""
    if connection.execute(ANY_PURGE).first() is None:
        return {role: frozenset() for role in Role}
    names = [name.partition("/") for row in erased_of(connection, sink, table) for name in json.loads(row.files)]
    return {role: frozenset(rest for first, _, rest in names if first == role.value) for role in Role}


def gone_by(connection: Connection, purge: int) -> Sequence[AnyRow]:
    """Of each table and file that a purge was about, how many rows; once, however many sinks had them."""
    return connection.execute(GONE_BY, {"purge": purge}).all()


def retired_since(connection: Connection, since_ns: int) -> Sequence[AnyRow]:
    """Of each table and file that is gone, how many rows of either kind went then or later.

    Each counts once, however many sinks showed it.
    """
    return connection.execute(RETIRED_SINCE, {"since": since_ns}).all()


def erased_rows_of(connection: Connection, source_hash: str) -> Sequence[AnyRow]:
    """What of some bytes was erased for good: of each purge and table how many rows, and when."""
    return connection.execute(ERASED_ROWS_OF, {"hash": source_hash}).all()


def set_receipt(connection: Connection, tombstone: int, receipt: dict[str, object]) -> None:
    """Keep how far the erasing of its rows has come."""
    connection.execute(SET_RECEIPT, {"tombstone": tombstone, "its_receipt": canonical_json(receipt)})


def set_erased(connection: Connection, tombstone: int, files: Sequence[str], receipt: dict[str, object]) -> None:
    """Its rows are nowhere any more; the receipt says so from now on."""
    values = {"tombstone": tombstone, "names": json.dumps(list(files)), "its_receipt": canonical_json(receipt)}
    connection.execute(SET_ERASED, values)


def erased_of(connection: Connection, sink: str, table: str) -> Sequence[AnyRow]:
    """The purges of a table, the oldest first."""
    return connection.execute(ERASED_OF, {"sink": sink, "table": table}).all()
