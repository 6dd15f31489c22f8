"""`casparian case`: the cases you made or used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from casparian_flow.cases import USER_HOME
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, readable, size_text, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.home.cases import CaseDetail

COLUMNS = (
    Column("name"),
    Column("path"),
    Column("examiner"),
    Column("created", Kind.TIME),
    Column("is_here", title="HERE"),
    Column("is_chosen", title="IN USE"),
    Column("is_missing", title="MISSING"),
)
SOURCES = (Column("id"), Column("name"), Column("root"), Column("entries", Kind.COUNT), Column("scanned", Kind.TIME))
TABLES = (Column("table"), Column("rows", Kind.COUNT), Column("quarantined", Kind.COUNT), Column("files", Kind.COUNT))


@click.group("case", cls=Noun)
@shared_options
def command() -> None:
    """The cases that you made or used, and the one in use."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every case that you made or used; HERE is the one of this folder."""
    from casparian_flow.operations.home.cases import CaseEntry, ListCases

    _stand_in_own_home(face)
    reply = face.ask("case.list", ListCases())
    face.show_list("casparian.cases/1", "cases", reply.cases, COLUMNS, CaseEntry)


@command.command("use")
@click.argument("named", required=False, metavar="[NAME|DIR]")
@click.option("--none", "is_none", is_flag=True, help="Go back to your own home.")
@pass_face
def use(face: Face, named: str | None, is_none: bool) -> None:
    """Choose the case for later commands in folders that belong to no case."""
    from casparian_flow.core.errors import UsageError
    from casparian_flow.operations.home.cases import UseCase

    if (named is None) != is_none:
        raise UsageError("name a case, or give --none", fix="casparian case use NAME")
    _stand_in_own_home(face)
    reply = face.ask("case.use", UseCase(case=named))
    where = f"case {plain(reply.name)} at {plain(reply.home)}" if reply.home else f"your own home, {USER_HOME}"
    face.show("casparian.case.used/1", reply, [f"commands outside a case folder are about {where}"])


@command.command("show")
@click.argument("named", required=False, metavar="[NAME]")
@pass_face
def show(face: Face, named: str | None) -> None:
    """What a case holds: by default the one that commands here are about."""
    from casparian_flow.operations.home.cases import ShowCase

    if named is not None:
        face.options.home, face.options.case = None, named
    reply = face.ask("case.show", ShowCase())
    face.show("casparian.case/1", reply, _lines(face, reply))


def _stand_in_own_home(face: Face) -> None:
    """These verbs must work while the chosen case is gone."""
    face.options.home = Path(USER_HOME).expanduser()


def _lines(face: Face, case: CaseDetail) -> Iterator[str]:
    from msgspec import to_builtins

    yield f"case        {plain(case.name)}"
    yield f"home        {plain(case.home)}"
    yield f"examiner    {plain(case.examiner) or '-'}"
    yield f"created     {readable(case.created, Kind.TIME)}"
    waived = f", and {case.quarantine.waived:,} waived" if case.quarantine.waived else ""
    yield f"quarantine  {case.quarantine.rows:,} rows of {case.quarantine.files:,} files{waived}"
    sizes = ", ".join(f"{name} {size_text(size)}" for name, size in case.disk.items() if size)
    yield f"disk        {size_text(sum(case.disk.values()))}: {sizes or 'nothing'}"
    for items, columns in ((case.sources, SOURCES), (case.tables, TABLES)):
        if items:
            yield ""
            yield from table_lines(map(to_builtins, items), columns, face.paper)
