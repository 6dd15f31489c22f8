"""Options that stand for a parser and the table that files ask for, until somebody changes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import options

ALL = select(options).order_by(options.c.parser_name, options.c.base_table)
_of = (options.c.parser_name == bindparam("parser"), options.c.base_table == bindparam("base"))
ONE = select(options.c.config).where(*_of)
UNSET = delete(options).where(*_of)


def standing(connection: Connection) -> dict[tuple[str, str], dict[str, str]]:
    """The standing options by parser and base table."""
    return {(row.parser_name, row.base_table): json.loads(row.config) for row in every(connection)}


def every(connection: Connection) -> Sequence[AnyRow]:
    """All of them, with who set them and why."""
    return connection.execute(ALL).all()


def standing_of(connection: Connection, parser: str, base_table: str) -> dict[str, str]:
    """Those under which a parser reads files that ask for this table; empty if none stand."""
    config = connection.execute(ONE, {"parser": parser, "base": base_table}).scalar()
    return {} if config is None else json.loads(config)


def set_standing(
    connection: Connection,
    parser: str,
    base_table: str,
    config: Mapping[str, str],
    *,
    by: str,
    reason: str,
    now_ns: int,
    replay: int | None = None,
) -> None:
    """Let exactly these options stand from now on; `replay` is the one that leaves them behind."""
    if not config:
        connection.execute(UNSET, {"parser": parser, "base": base_table})
        return
    values = {
        "config": json.dumps(dict(config), sort_keys=True),
        "set_by": by,
        "reason": reason,
        "replay_id": replay,
        "at_ns": now_ns,
    }
    statement = insert(options).values(parser_name=parser, base_table=base_table, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[options.c.parser_name, options.c.base_table], set_=values)
    )
