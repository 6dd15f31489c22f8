"""`casparian_flow.read`: one file to tables, without a home."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from casparian_flow.clients.api.places import absolute, working_folder
from casparian_flow.clients.api.quarantine import Quarantine
from casparian_flow.clients.api.read_result import ReadResult
from casparian_flow.core.errors import UsageError
from casparian_flow.core.lineage import SOURCE_ROW
from casparian_flow.lab.choice import parser_for
from casparian_flow.lab.reading import FileRead, read_file
from casparian_flow.lab.source import base_table, look_at
from casparian_flow.protocol.messages import Limits

Option = str | int | float | bool


def read(
    path: str | os.PathLike[str],
    parser: str | os.PathLike[str] | None = None,
    *,
    table: str | None = None,
    limits: Limits | None = None,
    lineage: bool = False,
    **options: Option | None,
) -> ReadResult:
    """The tables of one file as `casparian run` would land them in an empty home, and every row that did not fit.

    The parser is found by the file's content and name, or is the one given: a name (`"delimited"`, see
    `casparian parser list`) or the path of a `.py` file or a parser's folder. `options` are the parser's own, such as
    `delimiter=";"`, `encoding="cp1252"` or `header=False`; None leaves the decision to the parser. `table` is the name
    to use where a table would be named after the file. With `lineage`, tables carry `_cf_source_row`, each row's number
    in the source, which is also the `row` of a rejected one. `limits` bound the parser's process: an hour and 2 GiB if
    not given.

    The file is parsed in a process of its own, which is gone when this returns or raises. Rows go through a temporary
    folder (TMPDIR), so memory does not grow with the file; the folder is removed, and what the tables still need of it
    is freed with them. Nothing else is written. May be called from several threads at once and inside a running event
    loop, which it blocks.

    A path is needed, not bytes or a file object: a parser reads where it likes, may need what lies beside the file (a
    database's journal), and every row tells the bytes of the file that it came from.

    Raises, all of them CasparianError: NotFound (no such file, no such parser), NoParser (none reads this content),
    UsageError (not a file, an option that the parser does not have, a name that no table can have), ParserInvalid,
    ParserFailed and its kinds (the parser refused, crashed or passed a limit: ParserTimedOut), SourceUnreadable,
    SourceChanged (while it was read), SinkUnavailable (no room in the temporary folder).
    """
    place = absolute(path)
    source = look_at(place)
    name = base_table(place, table)
    given = _checked(options)
    asked = None if parser is None else os.fspath(parser)
    registered = parser_for(place.name, source.kind, asked, given, plugins=None, cwd=working_folder())
    found = read_file(registered, source.path, source.hashed, name, given, limits or Limits())
    return _result(place, source.hashed.source_hash, registered.artifact.label, found, lineage=lineage)


def _checked(options: Mapping[str, Option | None]) -> dict[str, Option]:
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if not isinstance(value, Option):
            raise UsageError(
                f"the option {name} cannot be a {type(value).__name__}", fix="give text, a number, True or False"
            )
    return given


def _result(path: Path, source_hash: str, parser: str, found: FileRead, *, lineage: bool) -> ReadResult:
    receipt = found.receipt
    return ReadResult(
        path=path,
        source_hash=source_hash,
        parser=parser,
        tables=found.tables
        if lineage
        else {name: table.drop_columns([SOURCE_ROW]) for name, table in found.tables.items()},
        quarantine=Quarantine(found.rejected),
        contracts=found.contracts,
        reasons={
            table: {verdict.name: verdict.reasons for verdict in verdicts} for table, verdicts in found.verdicts.items()
        },
        verdicts=receipt.verdicts,
        printed=found.printed,
        emitted=sum(count.emitted for count in receipt.counts),
        accepted=receipt.accepted,
    )
