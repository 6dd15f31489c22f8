"""How what `operations.parser.infer` names is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError, NotFound, UsageError
from casparian_flow.core.files import EntryKind, display_path
from casparian_flow.core.tables import table_from_file_name
from casparian_flow.lab.contract_file import contracts_to_toml
from casparian_flow.lab.trial import try_parser
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.inspect import existing_file, parser_of
from casparian_flow.operations.doing.file.landing import landing_of
from casparian_flow.operations.doing.source.tags import is_tag
from casparian_flow.operations.parser.infer import ColumnEvidence, FileTrouble, InferColumns, Inference, RuledOut
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.masks import mask
from casparian_flow.schema.notes import without_value
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.verdict import ColumnVerdict
from casparian_flow.sentinel.commit.first_contact import classed_as
from casparian_flow.sentinel.planning.registered import parser_order
from casparian_flow.store.views import files as file_view
from casparian_flow.store.views import history

FEW = 20
"""Files with a tag that are read unless all are asked for."""
PAGE = 2_000


@dataclass(slots=True)
class _Found:
    """What all files said together."""

    surveys: dict[str, Survey] = field(default_factory=dict)
    headerless: dict[str, bool] = field(default_factory=dict)
    parsers: dict[str, None] = field(default_factory=dict)
    troubles: list[FileTrouble] = field(default_factory=list)
    in_force: dict[str, Contract] = field(default_factory=dict)

    def contracts(self) -> dict[str, Contract]:
        """A draft for each table, its columns as closed as those of the tables that the files land in."""
        return {
            table: classed_as(draft_contract(table, survey, headerless=self.headerless[table]), self.in_force.values())
            for table, survey in self.surveys.items()
        }


def infer(reading: Reading, request: InferColumns) -> Inference:
    """The type of every column over all rows, with the values that ruled out the others, masked where they are closed.

    A path that exists is that file, else the word is a tag. Raises NotFound, or UsageError for a column or a new file
    that cannot be.
    """
    paths, left = _files(reading, request)
    found = _Found()
    for path in paths:
        _take(reading, request, path, found)
    drafts = found.contracts()
    columns = [
        _evidence(table, verdict, drafts[table])
        for table, survey in found.surveys.items()
        for verdict in survey.verdicts()
        if request.column in (None, verdict.name)
    ]
    if request.column is not None and not columns:
        known = sorted({name for survey in found.surveys.values() for name in survey.columns})
        raise NotFound(f"there is no column {request.column!r}", why=f"columns are {', '.join(known[:20]) or 'none'}")
    written = None if request.to is None else _write(reading.cwd / request.to, request.path, found, drafts.values())
    return Inference(
        path=request.path if len(paths) > 1 else display_path(os.fsencode(paths[0])),
        parsers=list(found.parsers),
        files=len(paths),
        files_left=left,
        rows=sum(survey.rows for survey in found.surveys.values()),
        columns=columns,
        troubles=found.troubles,
        written=written,
    )


def _files(reading: Reading, request: InferColumns) -> tuple[list[Path], int]:
    """The files to read, and how many more there are."""
    try:
        return [existing_file(reading, request.path)], 0
    except NotFound:
        tagged = list(_tagged(reading, request.path)) if is_tag(request.path) else []
        if not tagged:
            raise
        most = len(tagged) if request.all_files else FEW
        return tagged[:most], len(tagged[most:])


def _tagged(reading: Reading, tag: str) -> Iterator[Path]:
    roots = dict(history.roots(reading.connection))
    after = None
    while rows := file_view.list_files(reading.connection, file_view.FileFilter(tag=tag), after=after, limit=PAGE):
        after = file_view.FileCursor(rows[-1]["source_id"], rows[-1]["rel_path"])
        for row in rows:
            if row["kind"] == EntryKind.FILE and row["part_of"] is None and row["state"] != "missing":
                yield Path(os.fsdecode(roots[row["source_id"]].rstrip(b"/") + b"/" + row["rel_path"]))


def _take(reading: Reading, request: InferColumns, path: Path, found: _Found) -> None:
    """Read one file; with several, one that cannot be read keeps no other from being read."""
    shown = display_path(os.fsencode(path))
    try:
        registered = parser_of(reading, path, request.parser, request.options)
        found.in_force |= landing_of(reading, path).contracts(reading, registered)
        order = parser_order(registered, dict(request.options))
        trial = try_parser(order, os.fsencode(path), table_from_file_name(path.name), source=shown)
    except CasparianError as exc:
        if isinstance(exc, UsageError) or (reading.cwd / request.path).exists():
            raise
        found.troubles.append(FileTrouble(path=shown, why=exc.message))
        return
    found.parsers[registered.artifact.label] = None
    for output in trial.outputs.values():
        known = found.surveys.get(output.table, Survey.empty())
        found.surveys[output.table] = known.merge(output.survey)
        found.headerless[output.table] = output.headerless
    if trial.error is not None:
        found.troubles.append(FileTrouble(path=shown, why=trial.error.message))


def _evidence(table: str, verdict: ColumnVerdict, draft: Contract) -> ColumnEvidence:
    column = next(each for each in draft.columns if each.name == verdict.name)
    return ColumnEvidence(
        table=table,
        column=verdict.name,
        type=verdict.type,
        format=verdict.format,
        note=without_value(verdict.note) if column.is_closed else verdict.note,
        could_be=list(verdict.could_be),
        nulls=dict(verdict.nulls),
        ruled_out=[
            RuledOut(
                type=candidate,
                value=mask(first.value, column.sensitivity) if column.is_closed else first.value,
                row=first.row,
                file=first.source,
            )
            for candidate, (first, *_) in verdict.ruled_out
        ],
    )


def _write(path: Path, subject: str, found: _Found, drafts: Iterable[Contract]) -> str:
    """Write the drafted contracts to a file that must not exist yet."""
    heading = (
        f"Drafted from {subject!r}, {sum(survey.rows for survey in found.surveys.values())} rows.",
        "Edit it, then see what would be rejected: casparian preview FILE --contract THIS_FILE",
    )
    text = contracts_to_toml(list(drafts), heading)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as exc:
        raise UsageError(f"{path} exists already", fix="choose another name") from exc
    except (OSError, UnicodeEncodeError) as exc:
        raise UsageError(f"{path} cannot be written", why=str(exc)) from exc
    return str(path)
