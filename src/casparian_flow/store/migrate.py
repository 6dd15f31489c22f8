"""Brings the schema of a control database up to date, and tells whether it still is what the code expects."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from casparian_flow.core.errors import InvariantBroken, VerificationFailed
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
_ONE_AT_A_TIME = Lock()
"""Alembic gives migrations their connection through a global: two at once would write into each other's database."""


def upgrade(connection: Connection) -> None:
    """Run the missing migrations, all in one transaction; does nothing when the schema is current."""
    with _ONE_AT_A_TIME:
        _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    scripts = _scripts()
    head = scripts.get_current_head()
    current = MigrationContext.configure(connection).get_current_revision()
    if connection.in_transaction():
        connection.rollback()
    if current == head:
        return
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise VerificationFailed(
            f"the home was written by a newer version (schema {current})", fix="upgrade casparian-flow"
        )
    with _without_foreign_keys(connection), connection.begin():
        context = MigrationContext.configure(
            connection,
            opts={"fn": lambda revision, _context: scripts._upgrade_revs(head or "head", revision)},
        )
        with Operations.context(context):
            context.run_migrations()
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise InvariantBroken("a migration left a row without its parent", why=f"in {broken[0]}")


@contextmanager
def _without_foreign_keys(connection: Connection) -> Iterator[None]:
    """SQLite makes a table anew by dropping it, and only outside a transaction may that be allowed."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


def live_fingerprint(connection: Connection) -> str:
    """Digest of the tables and columns that the database really has."""
    inspector = inspect(connection)
    return digest_of_json(
        {
            name: sorted(column["name"] for column in inspector.get_columns(name))
            for name in inspector.get_table_names()
            if name != "alembic_version"
        }
    )


def expected_fingerprint() -> str:
    """Digest of the tables and columns that `tables.py` describes."""
    return digest_of_json(
        {table.name: sorted(column.name for column in table.columns) for table in metadata.sorted_tables}
    )
