"""`casparian infer`: what each column can be, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column, plain, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.parser.infer import ColumnEvidence, Inference, RuledOut

COLUMNS = (Column("table"), Column("column"), Column("type"), Column("format"), Column("note"))
FEW_FORMATS = 4
"""As many formats of dates and times that one value rules out are still named."""


@click.command("infer")
@click.argument("path", metavar="FILE|TAG")
@click.option("--parser", metavar="P", help="Read with this parser: its name, or a .py file or folder.")
@click.option("--option", "options", multiple=True, metavar="K=V", help="An option of the parser.")
@click.option("--column", metavar="C", help="Only this column.")
@click.option("--explain", "explains", is_flag=True, help="Show the value that ruled out each other type.")
@click.option("--all-files", is_flag=True, help="Read every file with the tag, not the first twenty.")
@click.option("--write", "to", metavar="FILE", help="Write the drafted contracts to a new TOML file, to be edited.")
@pass_face
def command(face: Face, options: tuple[str, ...], explains: bool, **wanted: Any) -> None:
    """The type of each column over all rows of a file, or of the files with a tag."""
    from casparian_flow.clients.cli.options import options_of
    from casparian_flow.operations.parser.infer import InferColumns

    reply = face.ask("infer", InferColumns(options=options_of(options), **wanted))
    face.show("casparian.infer/1", reply, _lines(face, reply, explains=explains))


def _lines(face: Face, reply: Inference, *, explains: bool) -> Iterator[str]:
    from msgspec import to_builtins

    yield from table_lines(map(to_builtins, reply.columns), COLUMNS, face.paper)
    if explains:
        for each in reply.columns:
            yield ""
            yield from _explained(each, has_files=reply.files > 1)
    for trouble in reply.troubles:
        yield f"stopped: {plain(trouble.path)}: {plain(trouble.why)}"
    if reply.files_left:
        yield f"{reply.files_left:,} more files have the tag; --all-files reads them too"
    if reply.written:
        yield f"written  {plain(reply.written)}"


def _explained(evidence: ColumnEvidence, *, has_files: bool) -> Iterator[str]:
    yield f"{plain(evidence.table)}.{plain(evidence.column)} is {plain(evidence.type)}" + (
        f" {plain(evidence.format)}" if evidence.format else ""
    )
    if evidence.note:
        yield f"note      {plain(evidence.note)}"
    if evidence.could_be:
        yield f"could be  {', '.join(map(plain, evidence.could_be))}, or text"
    for word, count in evidence.nulls.items():
        yield f"null?     {plain(repr(word))} in {count:,} rows"
    yield from _by_value(evidence.column, evidence.ruled_out, has_files=has_files)


def _by_value(column: str, ruled_out: list[RuledOut], *, has_files: bool) -> Iterator[str]:
    """One line for each value, with all the types that it ruled out."""
    types: dict[tuple[str, int, str], list[str]] = {}
    for each in ruled_out:
        types.setdefault((each.file, each.row, each.value), []).append(each.type)
    for (file, row, value), names in types.items():
        place = f" of {plain(file)}" if has_files else ""
        yield f"{plain(column)} is not {_few(names)}: row {row}{place} is {plain(repr(value))}"


def _few(types: list[str]) -> str:
    """The types in words; many formats of dates and times are counted, the answer as JSON has them all."""
    formats = [each for each in types if "%" in each]
    if len(formats) <= FEW_FORMATS:
        return ", ".join(map(plain, types))
    named = [plain(each) for each in types if "%" not in each]
    return ", ".join([*named, f"nor in any of {len(formats)} other formats of dates and times"])
