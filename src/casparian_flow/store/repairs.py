"""Values that persons put right: which hold for which bytes, and which of them a job took in."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, literal_column, select, update

from casparian_flow.core.errors import NotFound
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.repairs import Repair
from casparian_flow.core.times import rfc3339
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.tables import jobs, repairs

ADD = insert(repairs).returning(repairs.c.id)
REVOKE = (
    update(repairs)
    .where(repairs.c.id == bindparam("repair"), repairs.c.revoked_at_ns.is_(None))
    .values(revoked_at_ns=bindparam("now_ns"))
)
FORGET = (
    update(repairs)
    .where(
        repairs.c.table_name == bindparam("of_table"),
        repairs.c.source_hash == bindparam("hash"),
        repairs.c.source_row == bindparam("record"),
    )
    .values(before="{}", after="{}", revoked_at_ns=func.coalesce(repairs.c.revoked_at_ns, bindparam("now_ns")))
)
REPAIRED = select(repairs.c.source_hash).where(repairs.c.table_name == bindparam("of_table")).distinct()
ONE = select(repairs).where(repairs.c.id == bindparam("repair"))
LIVING_OF_ROW = select(repairs).where(
    repairs.c.source_hash == bindparam("hash"),
    repairs.c.parser_name == bindparam("parser"),
    repairs.c.table_name == bindparam("of_table"),
    repairs.c.source_row == bindparam("record"),
    repairs.c.revoked_at_ns.is_(None),
)
LIVING = select(repairs).where(repairs.c.revoked_at_ns.is_(None)).order_by(repairs.c.id.desc())
EVERY = select(repairs).order_by(repairs.c.id.desc())
KNOWN_OF = Prepared(
    select(
        repairs.c.source_hash,
        repairs.c.table_name,
        repairs.c.source_row,
        repairs.c.after,
        repairs.c.made_at_ns,
        repairs.c.revoked_at_ns,
    )
    .where(repairs.c.parser_name == bindparam("parser"), repairs.c.source_hash.in_(each_of("hashes")))
    .order_by(repairs.c.table_name, repairs.c.source_row)
)
ANY = Prepared(select(repairs.c.id).limit(literal_column("1")))
TAKEN = Prepared(
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.repairs != bindparam("digest"))
    .values(repairs=bindparam("digest"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRepair:
    """What a row is to hold instead, what it held, and who says so."""

    source_hash: str
    parser: str
    table: str
    source_row: int
    before: Mapping[str, str | None]
    after: Mapping[str, str | None]
    author: str
    reason: str


def add(connection: Connection, new: NewRepair, now_ns: int) -> int:
    """Keep a repair, from now on instead of any other of the same row; its number."""
    for row in living_of_row(connection, new):
        revoke(connection, row["id"], now_ns)
    return int(
        connection.execute(
            ADD,
            {
                "source_hash": new.source_hash,
                "parser_name": new.parser,
                "table_name": new.table,
                "source_row": new.source_row,
                "before": json.dumps(dict(new.before), ensure_ascii=False),
                "after": json.dumps(dict(new.after), ensure_ascii=False),
                "author": new.author,
                "reason": new.reason,
                "made_at_ns": now_ns,
            },
        ).scalar_one()
    )


def revoke(connection: Connection, repair: int, now_ns: int) -> None:
    """Let a repair hold no more; raises NotFound for one that is not there, or does not hold any more."""
    row = one(connection, repair)
    if connection.execute(REVOKE, {"repair": repair, "now_ns": now_ns}).rowcount != 1:
        raise NotFound(
            f"repair {repair} does not hold any more",
            why=f"it was revoked at {rfc3339(row['revoked_at_ns'])}",
            fix="casparian repair list --revoked",
        )


def forget(connection: Connection, table: str, rows: Iterable[tuple[str, int]], now_ns: int) -> None:
    """Keep no value of repairs of these rows, bytes and record of each; none of them holds any more."""
    values = [{"of_table": table, "hash": its, "record": record, "now_ns": now_ns} for its, record in rows]
    if values:
        connection.execute(FORGET, values)


def repaired_bytes(connection: Connection, table: str) -> frozenset[str]:
    """The bytes of which a row of a table ever had a repair."""
    return frozenset(connection.execute(REPAIRED, {"of_table": table}).scalars())


def one(connection: Connection, repair: int) -> RowMapping:
    """One repair; raises NotFound."""
    row = connection.execute(ONE, {"repair": repair}).mappings().first()
    if row is None:
        raise NotFound(f"there is no repair {repair}", fix="casparian repair list")
    return row


def living_of_row(connection: Connection, like: NewRepair) -> Sequence[RowMapping]:
    """The repair of the same row that holds, if there is one."""
    row = {"hash": like.source_hash, "parser": like.parser, "of_table": like.table, "record": like.source_row}
    return connection.execute(LIVING_OF_ROW, row).mappings().all()


def list_repairs(connection: Connection, *, with_revoked: bool) -> Sequence[RowMapping]:
    """The repairs that hold, or all of them; the newest first."""
    return connection.execute(EVERY if with_revoked else LIVING).mappings().all()


def count_of(connection: Connection, source_hash: str, parser: str) -> int:
    """How many repairs hold for some bytes."""
    return len(of_files(connection, parser, [source_hash])[0].get(source_hash, ()))


def are_any(connection: Connection) -> bool:
    """Whether a value of any bytes was ever put right."""
    return ANY.row(connection) is not None


def of_files(connection: Connection, parser: str, hashes: Iterable[str]) -> tuple[dict[str, list[Repair]], set[str]]:
    """The repairs that hold for these bytes as one parser reads them, and the bytes that ever had any."""
    found: dict[str, list[Repair]] = defaultdict(list)
    ever: set[str] = set()
    for row in KNOWN_OF.rows(connection, parser=parser, hashes=listed(hashes)):
        ever.add(row.source_hash)
        if row.revoked_at_ns is None:
            repair = Repair(table=row.table_name, source_row=row.source_row, after=json.loads(row.after))
            found[row.source_hash].append(repair)
    return found, ever


def held_then(connection: Connection, parser: str, source_hash: str, at_ns: int) -> list[Repair]:
    """Of the repairs that hold for these bytes those that were made before."""
    return [
        Repair(table=row.table_name, source_row=row.source_row, after=json.loads(row.after))
        for row in KNOWN_OF.rows(connection, parser=parser, hashes=json.dumps([source_hash]))
        if row.revoked_at_ns is None and row.made_at_ns < at_ns
    ]


def note_taken(connection: Connection, job: int, taken: Sequence[Repair]) -> None:
    """Keep which repairs the order of a job carries."""
    TAKEN.run(connection, job=job, digest=digest_of_repairs(taken))


def digests(connection: Connection) -> dict[tuple[str, str], str]:
    """The digest of the repairs that hold, by bytes and parser."""
    found: dict[tuple[str, str], list[Repair]] = defaultdict(list)
    for row in list_repairs(connection, with_revoked=False):
        repair = Repair(table=row["table_name"], source_row=row["source_row"], after=json.loads(row["after"]))
        found[row["source_hash"], row["parser_name"]].append(repair)
    return {its: digest_of_repairs(each) for its, each in found.items()}


def digest_of_repairs(taken: Iterable[Repair]) -> str:
    """The same for the same repairs in any order; empty for none."""
    wanted = sorted([each.table, each.source_row, sorted(each.after.items())] for each in taken)
    return digest_of_json(["repairs", wanted]) if wanted else ""
