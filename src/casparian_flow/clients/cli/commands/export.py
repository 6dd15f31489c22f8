"""`casparian export`: one table as one file."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.commands.output import sink_option
from casparian_flow.clients.cli.face import Face, pass_face_to_writer
from casparian_flow.clients.cli.render import plain

KINDS = ("parquet", "csv", "jsonl", "duckdb")


@click.command("export")
@click.argument("table")
@click.option("--to", metavar="PATH", help="A file, a folder, or - for standard output.  [default: TABLE.FORMAT here]")
@click.option("-f", "--format", "kind", type=click.Choice(KINDS), help="The kind of file; else its extension says it.")
@click.option(
    "--as-of", metavar="SNAPSHOT|JOB|TIME", help="The table as it was then; @last and @-1 are jobs of the whole home."
)
@sink_option
@click.option("--quarantine", is_flag=True, help="The rejected rows instead of the accepted ones.")
@click.option("--redact", metavar="COLS", default="", help="Leave out the values of these columns: a,b,c.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@pass_face_to_writer
def command(
    face: Face,
    table: str,
    to: str | None,
    kind: str | None,
    as_of: str | None,
    sink: str | None,
    quarantine: bool,
    redact: str,
    overwrite: bool,
) -> None:
    """Write all rows of TABLE, with their lineage, to one Parquet, CSV, JSON Lines or DuckDB file."""
    from casparian_flow.operations.query.export import ExportTable
    from casparian_flow.operations.query.file_format import FileFormat

    request = ExportTable(
        table=table,
        to=to,
        format=None if kind is None else FileFormat(kind),
        as_of=as_of,
        sink=sink,
        quarantine=quarantine,
        csv_safe=face.options.csv_safe,
        redact=tuple(name.strip() for name in redact.split(",") if name.strip()),
        overwrite=overwrite,
    )
    reply = face.ask("export", request)
    if reply.path is None:
        face.note(f"{reply.rows:,} rows of {plain(table)}")
        return
    face.show("casparian.export/1", reply, [f"{reply.rows:,} rows written to {plain(reply.path)}"])
