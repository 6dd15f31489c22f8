"""What the scout knows: sources, paths, their contents, tags."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from casparian_flow.core.files import EntryKind
from casparian_flow.store.tables.base import ID, metadata, one_of

sources = Table(
    "scout_sources",
    metadata,
    Column("id", ID, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("only", LargeBinary, nullable=False, comment="the one file of the root that is meant; empty: everything"),
    Column("display", Text, nullable=False),
    Column("ignore", Text, nullable=False, server_default=""),
    Column("added_at_ns", BigInteger, nullable=False),
    Column("when_missing", String(8), nullable=False, server_default="keep", comment="`core.tombstones.WhenMissing`"),
    UniqueConstraint("root", "only"),
)

scans = Table(
    "scout_scans",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source_id", ForeignKey("scout_sources.id"), nullable=False),
    Column("started_at_ns", BigInteger, nullable=False),
    Column("finished_at_ns", BigInteger),
    Column("entries", Integer),
    Column("problems", Integer),
)

locations = Table(
    "scout_locations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source_id", ForeignKey("scout_sources.id"), nullable=False),
    Column("rel_path", LargeBinary, nullable=False, comment="a folder that is a row itself ends with a slash"),
    Column("display", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("problem", Text, comment="why an entry that is not an ordinary readable file is one"),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("is_dirty", Boolean, nullable=False, comment="the signs changed since the current version was hashed"),
    Column("is_missing", Boolean, nullable=False, server_default=text("0")),
    Column("part_of", ForeignKey("scout_locations.id"), comment="the database that this file is a companion of"),
    Column("renamed_from", ForeignKey("scout_locations.id")),
    Column("last_scan_id", BigInteger, nullable=False, comment="the last scan that changed this row"),
    Column("current_version_id", BigInteger, comment="the newest version; kept when the file goes missing"),
    Column("growing_since_ns", BigInteger, comment="since when a watch has seen it change; null: it does not"),
    Column("settles_at_ns", BigInteger, comment="when a watch looks whether it still grows; null: it does not wait"),
    UniqueConstraint("source_id", "rel_path"),
    one_of("kind", EntryKind),
)
Index("ix_scout_locations_dirty", locations.c.source_id, sqlite_where=locations.c.is_dirty.is_(True))
Index("ix_scout_locations_version", locations.c.current_version_id)
Index("ix_scout_locations_renamed", locations.c.renamed_from, sqlite_where=locations.c.renamed_from.is_not(None))
Index(
    "ix_scout_locations_gone", locations.c.source_id, locations.c.inode, sqlite_where=locations.c.is_missing.is_(True)
)
Index("ix_scout_locations_part", locations.c.part_of, sqlite_where=locations.c.part_of.is_not(None))

hashes = Table(
    "scout_hashes",
    metadata,
    Column("source_hash", String(80), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("first_seen_at_ns", BigInteger, nullable=False),
)

versions = Table(
    "scout_versions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("location_id", ForeignKey("scout_locations.id"), nullable=False, index=True),
    Column("source_hash", ForeignKey("scout_hashes.source_hash"), nullable=False, index=True),
    Column("sha256", String(64)),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("content", String(40), nullable=False, comment="kind of content shown by the first 64 KiB"),
    Column("content_reason", Text, nullable=False),
    Column("detected_at_ns", BigInteger, nullable=False),
)

rules = Table(
    "scout_rules",
    metadata,
    Column("id", ID, primary_key=True),
    Column("pattern", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("parser", Text),
    Column("topic", Text),
    Column("added_at_ns", BigInteger, nullable=False),
    UniqueConstraint("pattern", "tag"),
)

tags = Table(
    "scout_tags",
    metadata,
    Column("location_id", ForeignKey("scout_locations.id"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("rule_id", ForeignKey("scout_rules.id"), comment="null: given by a person"),
)
