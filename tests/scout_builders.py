"""A source that tests can scan, hash and ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from casparian_flow.scout.ground import Ground
from casparian_flow.scout.inventory import ScanReport, ground_of, scan
from casparian_flow.scout.sources import find_or_add_source
from casparian_flow.scout.tagger import TagReport, tag
from casparian_flow.store.database import Database
from casparian_flow.store.files import FileRow, current_files

LATER_NS = 4_000_000_000_000_000_000
"""Long after every file was written, so that no reading is racy."""


@dataclass(frozen=True)
class Kind:
    kind: str
    reason: str


def sniff(head: bytes, size: int) -> Kind:
    return Kind("sqlite", "magic") if head.startswith(b"SQLite format 3\0") else Kind("text", f"{size} bytes")


def quiet(_event: str, _values: dict[str, object]) -> None:
    """No progress is shown."""


class Scouted:
    """One source in one database."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database = database
        with database.transaction() as connection:
            self.source, self.warnings = find_or_add_source(connection, path, 1)

    def ground(self) -> Ground:
        return ground_of(self.database, self.source.id)

    def scan(self, **options: object) -> ScanReport:
        return scan(self.database, self.source.id, 1, quiet, **options)  # type: ignore[arg-type]

    def tag(self, now_ns: int = LATER_NS, **options: object) -> TagReport:
        return tag(self.database, self.source.id, now_ns, sniff, quiet, **options)  # type: ignore[arg-type]

    def scan_and_tag(self) -> tuple[ScanReport, TagReport]:
        return self.scan(), self.tag()

    def files(self) -> dict[bytes, FileRow]:
        rows = {row.rel_path: row for row in current_files(self.database.connection, [self.source.id])}
        self.database.connection.rollback()
        return rows
