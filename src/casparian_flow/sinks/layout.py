"""The names that a sink gives to folders and files, and the ones it recognises as its own.

<root>/outputs/<table>/v<contract>/<table>_<job>.<attempt>.<part>.parquet        or .csv
<root>/outputs/<table>/v<contract>/schema.json                                  beside .csv
<root>/outputs/<table>/_cf/log/<seq>.json
<root>/outputs/<table>/_cf/checkpoint/<seq>.json
<root>/quarantine/<table>/...                       the same

Where rows were put together from other files, <job> is 0 and <attempt> is the number of the rewrite, which a home gives
out once; a job's own number is never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from casparian_flow.core.errors import UsageError
from casparian_flow.core.lineage import RESERVED_PREFIX
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Attempt

SCHEMA_FILE = "schema.json"
ROLE_FOLDERS = {Role.ACCEPTED: "outputs", Role.QUARANTINE: "quarantine"}
NO_JOB = 0
"""In place of the job in the names of rewritten files, which hold rows of many."""
MAX_TABLE_NAME = 160
"""Leaves room for ids and suffix within the 255 bytes that file systems allow."""

_RESERVED = RESERVED_PREFIX.rstrip("_")
_TABLE = re.compile(rf"[a-z0-9_]{{1,{MAX_TABLE_NAME}}}")
_DATA_FILE = re.compile(
    r"(?P<table>[a-z0-9_]+)_(?P<job>\d{1,19})\.(?P<attempt>\d{1,9})\.(?P<part>\d{1,9})\.(?:parquet|csv)"
)
_NUMBERED = re.compile(r"(\d{20})\.json")


@dataclass(frozen=True, slots=True)
class TableFolder:
    """Where one table of one role lives."""

    path: Path

    @property
    def log(self) -> Path:
        """One file per commit; together they decide what is visible."""
        return self.path / "_cf" / "log"

    @property
    def checkpoints(self) -> Path:
        """Summaries of the log, which may be deleted at any time."""
        return self.path / "_cf" / "checkpoint"

    @property
    def readme(self) -> Path:
        """Tells a stranger how to read this folder."""
        return self.path / "_cf" / "README"

    def entry(self, seq: int) -> Path:
        """The file of one log entry."""
        return self.log / numbered(seq)

    def checkpoint(self, seq: int) -> Path:
        """The file of the summary of all entries up to this one."""
        return self.checkpoints / numbered(seq)


def is_table_name(table: str) -> bool:
    """Whether the name is safe as the name of a folder."""
    return _TABLE.fullmatch(table) is not None and not table.startswith(_RESERVED)


def checked_table(table: str) -> str:
    """The same name; raises UsageError unless it is safe as the name of a folder."""
    if not is_table_name(table):
        raise UsageError(
            f"{table[:MAX_TABLE_NAME]!r} cannot name a table",
            why=f"only a-z, 0-9 and _ may occur, at most {MAX_TABLE_NAME} of them, and not _cf at the start",
            fix="choose another name with --table",
        )
    return table


def table_folder(root: Path, role: Role, table: str) -> TableFolder:
    """Where the table lives under a sink's root. Raises UsageError for a name that is not safe."""
    return TableFolder(root / ROLE_FOLDERS[role] / checked_table(table))


def numbered(seq: int) -> str:
    """The file name of an entry or checkpoint; names sort as numbers do."""
    return f"{seq:020}.json"


def number_of(file_name: str) -> int | None:
    """The number in a file name made by `numbered`, None for any other name."""
    found = _NUMBERED.fullmatch(file_name)
    return int(found[1]) if found else None


def version_folder(contract_version: int) -> str:
    """The folder, inside the table's, of the rows of one contract version."""
    return f"v{contract_version}"


def version_of(name: str) -> int:
    """The contract version of a data file, by its name relative to the table's folder."""
    return int(name.partition("/")[0][1:])


@lru_cache(maxsize=256)
def is_version_folder(name: str) -> bool:
    """Whether `version_folder` makes this name."""
    return re.fullmatch(r"v\d{1,9}", name) is not None


def data_file(table: str, attempt: Attempt, part: int, suffix: str) -> str:
    """The file name of one part of what an attempt wrote; `suffix` is that of its format."""
    return f"{table}_{attempt.job}.{attempt.attempt}.{part}{suffix}"


@lru_cache(maxsize=1024)  # every receipt of a group names the same files
def owner_of(table: str, file_name: str) -> Attempt | None:
    """The attempt, or the rewrite, that wrote a data file of the table; None if the name is not one of ours."""
    found = _DATA_FILE.fullmatch(file_name)
    if found is None or found["table"] != table:
        return None
    owner = Attempt(job=int(found["job"]), attempt=int(found["attempt"]))
    suffix = file_name[found.end("part") :]
    return owner if data_file(table, owner, int(found["part"]), suffix) == file_name else None


def is_relative_data_name(table: str, name: str) -> bool:
    """Whether `name` is the path of a data file relative to the table's folder, and cannot lead out of it."""
    folder, _, file_name = name.partition("/")
    return is_version_folder(folder) and owner_of(table, file_name) is not None
