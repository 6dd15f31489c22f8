"""`casparian sql`: a query over committed tables."""

from __future__ import annotations

from typing import TextIO

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column
from casparian_flow.core.errors import UsageError

MOST_ROWS = 1_000_000
SECONDS = 60.0


@click.command("sql")
@click.argument("query", required=False)
@click.option("--file", "file", type=click.File(), help="Read the query from a file; - is standard input.")
@click.option(
    "--as-of", metavar="SNAPSHOT|JOB|TIME", help="Tables as they were then; @last and @-1 are jobs of the whole home."
)
@click.option(
    "--max-rows", type=click.IntRange(1, 100_000_000), default=MOST_ROWS, show_default=True, help="Cut the answer here."
)
@click.option("-o", "--output", "to", metavar="OUT", help="Write all rows to a .parquet, .csv, .jsonl or .duckdb file.")
@pass_face
def command(
    face: Face,
    query: str | None,
    file: TextIO | None,
    as_of: str | None,
    max_rows: int,
    to: str | None,
) -> None:
    """Query outputs, their quarantine (quarantine.TABLE) and control tables (cf_*, scout_*, schema_*); reading only.

    A query is stopped after 60 seconds, or after those of --timeout.
    """
    from casparian_flow.operations.query.sql import AskSql

    text = file.read() if file is not None else query
    if text is None:
        raise UsageError("no query was given", fix='casparian sql "SELECT * FROM cf_processing_queue"')
    limit = face.limit
    seconds = face.options.timeout or SECONDS
    rows = max_rows if limit is None or to is not None else min(max_rows, limit)
    reply = face.ask("sql", AskSql(query=text, as_of=as_of, seconds=seconds, max_rows=rows, to=to))
    if reply.written_to is not None:
        face.note(f"{reply.count} rows written to {reply.written_to}")
        return
    names = _distinct([column.name for column in reply.columns])
    items = (dict(zip(names, row, strict=True)) for row in reply.rows)
    face.show_rows("casparian.sql/1", [Column(name, title=name) for name in names], items, is_cut=reply.is_cut)
    if reply.is_cut:
        face.note(f"showing the first {reply.count:,} rows; --all or --max-rows shows more")


def _distinct(names: list[str]) -> list[str]:
    """The names with `_2`, `_3` … where one is repeated."""
    count: dict[str, int] = {}
    found = []
    for name in names:
        count[name] = count.get(name, 0) + 1
        found.append(name if count[name] == 1 else f"{name}_{count[name]}")
    return found
