"""The tables by which a database knows its commits: which entries there are, and whose rows are current after them.

An entry counts once all entries before it are there, as in a folder's log: readers always see the table after some
entry. `_cf_changes` keeps who came and went with each entry and answers questions about the past; `_cf_current` is
its answer for now, which the views read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from casparian_flow.core.errors import NotFound, TargetOwned, TargetTaken
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.database_columns import StoredColumn
from casparian_flow.sinks.database_engine import Connection
from casparian_flow.sinks.database_staging import column_of, encoded_column
from casparian_flow.sinks.log import AddedFile, Entry

FORMAT = "1"
PREFIX = "_cf_"
TABLES = (
    "CREATE TABLE _cf_meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE _cf_tables (table_name TEXT NOT NULL, role TEXT NOT NULL, seq BIGINT NOT NULL)",
    "CREATE TABLE _cf_commits (table_name TEXT NOT NULL, role TEXT NOT NULL, seq BIGINT NOT NULL, "
    "body BLOB NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (table_name, role, seq))",
    "CREATE TABLE _cf_changes (table_name TEXT NOT NULL, role TEXT NOT NULL, seq BIGINT NOT NULL, "
    "ordinal BIGINT NOT NULL, job_id BIGINT NOT NULL, is_added BIGINT NOT NULL)",
    "CREATE TABLE _cf_current (table_name TEXT NOT NULL, role TEXT NOT NULL, job_id BIGINT NOT NULL, "
    "seq BIGINT NOT NULL, ordinal BIGINT NOT NULL)",
    "CREATE TABLE _cf_files (table_name TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL, "
    "job_id BIGINT NOT NULL, row_count BIGINT NOT NULL, version BIGINT NOT NULL)",
    "CREATE TABLE _cf_columns (table_name TEXT NOT NULL, role TEXT NOT NULL, version BIGINT NOT NULL, "
    "position BIGINT NOT NULL, name TEXT NOT NULL, physical TEXT NOT NULL, field BLOB NOT NULL)",
    f"INSERT INTO _cf_meta (key, value) VALUES ('format', '{FORMAT}')",
)

_OF_TABLE = "WHERE table_name = ? AND role = ?"
_LATEST_CHANGES = (
    "SELECT job_id, seq, ordinal, is_added, row_number() OVER "
    "(PARTITION BY job_id ORDER BY seq DESC, is_added DESC) AS age FROM _cf_changes"
)
CURRENT_NOW = f"SELECT job_id, seq, ordinal FROM _cf_current {_OF_TABLE}"
CURRENT_AS_OF = (
    f"SELECT job_id, seq, ordinal FROM ({_LATEST_CHANGES} {_OF_TABLE} AND seq <= ?) AS latest "
    "WHERE age = 1 AND is_added = 1"
)
_COUNT = "SELECT coalesce(sum(row_count), 0) FROM _cf_files {of} AND job_id IN (SELECT job_id FROM ({current}) AS c)"
_VERSIONS = "SELECT DISTINCT version FROM _cf_files {of} AND job_id IN (SELECT job_id FROM ({current}) AS c)"

_FORGET = (
    f"DELETE FROM _cf_current {_OF_TABLE} AND job_id IN "
    f"(SELECT job_id FROM _cf_changes {_OF_TABLE} AND seq > ? AND seq <= ?)"
)
_REMEMBER = (
    "INSERT INTO _cf_current (table_name, role, job_id, seq, ordinal) SELECT ?, ?, job_id, seq, ordinal "
    f"FROM ({_LATEST_CHANGES} {_OF_TABLE} AND seq > ? AND seq <= ?) AS latest WHERE age = 1 AND is_added = 1"
)


_LOADED = (
    "SELECT min(f.rowid), max(f.rowid) FROM _cf_files AS f JOIN ({current}) AS c ON c.job_id = f.job_id "
    "WHERE f.table_name = ? AND f.role = ? GROUP BY c.seq, c.ordinal ORDER BY c.seq, c.ordinal"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A table after one of its entries."""

    table: str
    role: Role
    seq: int
    is_now: bool
    jobs: frozenset[int] | None = None
    """Those whose rows are asked for; None: all."""

    @property
    def current(self) -> str:
        """A query for the jobs whose rows count, with the order in which they came."""
        query = CURRENT_NOW if self.is_now else CURRENT_AS_OF
        if self.jobs is None:
            return query
        return f"{query} AND job_id IN ({', '.join(str(int(job)) for job in sorted(self.jobs)) or 'NULL'})"

    @property
    def values(self) -> tuple[str | int, ...]:
        """The values of that query."""
        return (self.table, self.role.value) if self.is_now else (self.table, self.role.value, self.seq)


class Records:
    """What an open database says of its commits."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def are_here(self, path: str) -> bool:
        """Whether this file holds tables of ours. Raises TargetTaken if somebody else uses our names in it."""
        names = {name for schema, name in self._db.relations() if name.startswith(PREFIX)}
        if not names:
            return False
        found = self._db.rows("SELECT value FROM _cf_meta WHERE key = 'format'") if "_cf_meta" in names else []
        if found != [(FORMAT,)]:
            raise TargetTaken(
                "the database has tables of another program, or of another version of this one, under reserved names",
                where=path,
                why=f"it holds {min(names)}, but no _cf_meta of format {FORMAT}",
                fix="choose another file",
            )
        return True

    def owner(self) -> str | None:
        """The home that claimed the database."""
        found = self._db.rows("SELECT value FROM _cf_meta WHERE key = 'home'")
        return str(found[0][0]) if found else None

    def claim(self, home: str, uri: str, path: str) -> None:
        """Make the database that home's own. Raises TargetOwned, naming the other home, if it is another's."""
        owner = self.owner()
        if owner is None:
            self._db.rows("INSERT INTO _cf_meta (key, value) VALUES ('home', ?)", (home,))
        elif owner != home:
            raise TargetOwned(f"{uri} belongs to another home", where=path, why=f"home {owner} writes there")

    def tables(self, role: Role) -> list[str]:
        """The tables with an entry."""
        return [str(name) for (name,) in self._db.rows("SELECT table_name FROM _cf_tables WHERE role = ?", (role,))]

    def reached(self, table: str, role: Role) -> int:
        """The last entry before which none is missing, 0 without one."""
        found = self._db.rows(f"SELECT seq FROM _cf_tables {_OF_TABLE}", (table, role))
        return int(found[0][0]) if found else 0

    def body(self, table: str, role: Role, seq: int) -> bytes | None:
        """The bytes of an entry."""
        found = self._db.rows(f"SELECT body FROM _cf_commits {_OF_TABLE} AND seq = ?", (table, role, seq))
        return bytes(found[0][0]) if found else None

    def moment(self, table: str, role: Role, as_of: int | None, path: str) -> Moment:
        """The table now, or after an entry. Raises NotFound if the entries do not reach so far."""
        reached = self.reached(table, role)
        if as_of is not None and as_of > reached:
            raise NotFound(
                f"the log of {table} reaches entry {reached}, not {as_of}",
                where=path,
                fix="ask for an earlier entry, or wait until the commits under way are done",
            )
        seq = reached if as_of is None else as_of
        return Moment(table, role, seq, is_now=seq == reached)

    def count(self, moment: Moment) -> int:
        """The rows of a table."""
        query = _COUNT.format(of=_OF_TABLE, current=moment.current)
        found = self._db.rows(query, (moment.table, moment.role, *moment.values))
        return int(found[0][0]) if found else 0

    def jobs(self, moment: Moment) -> frozenset[int]:
        """The jobs whose rows count."""
        return frozenset(int(job) for job, _seq, _ordinal in self._db.rows(moment.current, moment.values))

    def versions(self, moment: Moment) -> set[int]:
        """The contract versions of these rows."""
        query = _VERSIONS.format(of=_OF_TABLE, current=moment.current)
        return {int(version) for (version,) in self._db.rows(query, (moment.table, moment.role, *moment.values))}

    def is_in_order(self, moment: Moment) -> bool:
        """Whether the rows were loaded in the order in which their entries count, so that they need no sorting."""
        query = _LOADED.format(current=moment.current)
        spans = self._db.rows(query, (*moment.values, moment.table, moment.role))
        return all(before[1] < after[0] for before, after in pairwise(spans))

    def columns(self, table: str, role: Role) -> list[StoredColumn]:
        """The columns of all versions, each version's in order."""
        query = f"SELECT version, physical, field FROM _cf_columns {_OF_TABLE} ORDER BY version, position"
        return [
            StoredColumn(version=int(version), physical=str(physical), field=column_of(bytes(field)))
            for version, physical, field in self._db.rows(query, (table, role))
        ]

    def add_columns(self, table: str, role: Role, columns: Sequence[StoredColumn]) -> None:
        """Write down where the columns of a version are kept."""
        self._db.add(
            "INSERT INTO _cf_columns (table_name, role, version, position, name, physical, field) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (table, role, column.version, at, column.field.name, column.physical, encoded_column(column.field))
                for at, column in enumerate(columns)
            ],
        )

    def loaded(self, table: str, role: Role, names: Sequence[str]) -> set[str]:
        """Those of the files whose rows are in the database."""
        found: set[str] = set()
        for start in range(0, len(names), 500):
            some = names[start : start + 500]
            marks = ", ".join("?" * len(some))
            query = f"SELECT name FROM _cf_files {_OF_TABLE} AND name IN ({marks})"
            found.update(str(name) for (name,) in self._db.rows(query, (table, role, *some)))
        return found

    def add_files(self, table: str, role: Role, version: int, files: Iterable[AddedFile]) -> None:
        """Write down that the rows of these files are in the database."""
        self._db.add(
            "INSERT INTO _cf_files (table_name, role, name, job_id, row_count, version) VALUES (?, ?, ?, ?, ?, ?)",
            [(table, role, file.name, part.job, part.rows, version) for file in files for part in file.jobs],
        )

    def set_rows(self, table: str, role: Role, rows: Mapping[int, int]) -> None:
        """Write down how many rows are left of each of these jobs, in whichever of its files."""
        of_job = f"{_OF_TABLE} AND job_id = ?"
        self._db.add(f"UPDATE _cf_files SET row_count = 0 {of_job}", [(table, role, job) for job in rows])
        self._db.add(
            f"UPDATE _cf_files SET row_count = ? {of_job} AND name = (SELECT min(name) FROM _cf_files {of_job})",
            [(left, table, role, job, table, role, job) for job, left in rows.items() if left],
        )

    def add_entry(self, entry: Entry, body: bytes) -> None:
        """Write an entry down, and who comes and goes with it."""
        of_table = (entry.table, entry.role.value, entry.seq)
        self._db.add(
            "INSERT INTO _cf_commits (table_name, role, seq, body, digest) VALUES (?, ?, ?, ?, ?)",
            [(*of_table, body, digest_of(body))],
        )
        first_file: dict[int, int] = {}
        for at, file in enumerate(entry.adds):
            for part in file.jobs:
                first_file.setdefault(part.job, at)
        for job in entry.removed_jobs:  # though a file with rows of it is added
            first_file.pop(job, None)
        changes = [(*of_table, 0, job, 0) for job in entry.removed_jobs]
        changes += [(*of_table, at, job, 1) for job, at in first_file.items()]
        self._db.add(
            "INSERT INTO _cf_changes (table_name, role, seq, ordinal, job_id, is_added) VALUES (?, ?, ?, ?, ?, ?)",
            changes,
        )

    def advance(self, table: str, role: Role) -> None:
        """Let every entry count that has all entries before it."""
        known = self._db.rows(f"SELECT seq FROM _cf_tables {_OF_TABLE}", (table, role))
        before = int(known[0][0]) if known else 0
        after = before
        for (seq,) in self._db.rows(
            f"SELECT seq FROM _cf_commits {_OF_TABLE} AND seq > ? ORDER BY seq", (table, role, before)
        ):
            if seq != after + 1:
                break
            after = seq
        span = (table, role, before, after)
        self._db.rows(_FORGET, (table, role, *span))
        self._db.rows(_REMEMBER, (table, role, *span))
        if known:
            self._db.rows(f"UPDATE _cf_tables SET seq = ? {_OF_TABLE}", (after, table, role))
        else:
            self._db.rows("INSERT INTO _cf_tables (table_name, role, seq) VALUES (?, ?, ?)", (table, role, after))
