"""Looking at one file: what it is, what its rows would be, what its columns can be. Needs no scan and keeps nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from casparian_flow.core.errors import NotFound, SourceUnreadable, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.core.hashing import digest_of_file
from casparian_flow.core.tables import table_from_file_name
from casparian_flow.core.times import rfc3339
from casparian_flow.lab.choice import parser_for, shipped_for
from casparian_flow.lab.trial import Trial, try_parser
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.schema.rendering import as_text
from casparian_flow.scout.content import sniff
from casparian_flow.sentinel.registered import Registered, declared_contracts, parser_order

HEAD_BYTES = 64 << 10
HEX_BYTES = 256


class InspectFile(Request, frozen=True, kw_only=True):
    """Which file."""

    path: str


class FileFacts(Reply, frozen=True, kw_only=True):
    """What a file is by its first bytes; `head` are its first bytes in hexadecimal."""

    path: str
    size: int
    mtime: str
    source_hash: str
    content: str
    reason: str
    parser: str | None
    table: str
    head: str


class PreviewFile(Request, frozen=True, kw_only=True):
    """Which file, read how, and how many rows of each output."""

    path: str
    parser: str | None = None
    options: dict[str, str] = msgspec.field(default_factory=dict)
    rows: int = 20


class VerdictView(Reply, frozen=True, kw_only=True):
    """What the parser detected."""

    name: str
    value: str
    confidence: float
    runner_up: str | None


class RejectionView(Reply, frozen=True, kw_only=True):
    """One rejected row."""

    code: str
    message: str
    start: int | None
    end: int | None


class OutputView(Reply, frozen=True, kw_only=True):
    """Rows of one output as they would land."""

    table: str
    columns: list[str]
    types: list[str]
    rows: list[list[str | None]]
    rejected: list[RejectionView]


class Preview(Reply, frozen=True, kw_only=True):
    """What reading the file would give. `error` says why it stopped."""

    path: str
    parser: str
    outputs: list[OutputView]
    verdicts: list[VerdictView]
    printed: list[str]
    error: str | None
    is_cut: bool


class InferColumns(Request, frozen=True, kw_only=True):
    """Which file, read how."""

    path: str
    parser: str | None = None
    options: dict[str, str] = msgspec.field(default_factory=dict)


class ColumnEvidence(Reply, frozen=True, kw_only=True):
    """One column: its type over all rows, and which value ruled out each other type."""

    table: str
    column: str
    type: str
    format: str | None
    note: str
    ruled_out: list[str]


class Inference(Reply, frozen=True, kw_only=True):
    """Every column of every output."""

    path: str
    parser: str
    columns: list[ColumnEvidence]
    error: str | None


def inspect(_reading: Reading, request: InspectFile) -> FileFacts:
    """What the file is, by its bytes."""
    path = _existing(_reading, request.path)
    try:
        stat = path.stat()
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        source_hash = digest_of_file(path)
    except OSError as exc:
        raise SourceUnreadable(f"{request.path} cannot be read", why=exc.strerror or str(exc)) from exc
    kind = sniff(head, stat.st_size)
    found = shipped_for(path.name, kind)
    return FileFacts(
        path=display_path(os.fsencode(path)),
        size=stat.st_size,
        mtime=rfc3339(stat.st_mtime_ns),
        source_hash=source_hash,
        content=kind.kind,
        reason=kind.reason,
        parser=found.manifest.name if found and found.manifest else None,
        table=table_from_file_name(path.name),
        head=head[:HEX_BYTES].hex(" "),
    )


def preview(reading: Reading, request: PreviewFile) -> Preview:
    """The first rows as they would land, and what would be rejected among them."""
    path = _existing(reading, request.path)
    registered = _parser_for(reading, path, request.parser, request.options)
    base = table_from_file_name(path.name)
    trial = try_parser(parser_order(registered, dict(request.options)), os.fsencode(path), base, rows=request.rows)
    return Preview(
        path=display_path(os.fsencode(path)),
        parser=registered.artifact.label,
        outputs=_views(trial, registered, base, request.rows),
        verdicts=[
            VerdictView(name=note.name, value=note.value, confidence=note.confidence, runner_up=note.runner_up)
            for note in trial.verdicts
        ],
        printed=[line.text for line in trial.printed[:100]],
        error=str(trial.error) if trial.error else None,
        is_cut=trial.is_cut,
    )


def infer(reading: Reading, request: InferColumns) -> Inference:
    """The type of every column over all rows, with the value that ruled out each other type."""
    path = _existing(reading, request.path)
    registered = _parser_for(reading, path, request.parser, request.options)
    trial = try_parser(
        parser_order(registered, dict(request.options)), os.fsencode(path), table_from_file_name(path.name)
    )
    columns = [
        ColumnEvidence(
            table=output.table,
            column=verdict.name,
            type=verdict.type,
            format=verdict.format,
            note=verdict.note,
            ruled_out=verdict.reasons,
        )
        for output in trial.outputs.values()
        for verdict in output.survey.verdicts()
    ]
    return Inference(
        path=display_path(os.fsencode(path)),
        parser=registered.artifact.label,
        columns=columns,
        error=str(trial.error) if trial.error else None,
    )


def _existing(reading: Reading, text: str) -> Path:
    path = reading.cwd / text
    if not path.exists():
        raise NotFound(f"there is no {text}", where=str(reading.cwd))
    if not path.is_file():
        raise UsageError(f"{text} is not a file", fix="name one file")
    return path


def _parser_for(reading: Reading, path: Path, asked: str | None, options: Mapping[str, str]) -> Registered:
    try:
        with path.open("rb") as file:
            kind = sniff(file.read(HEAD_BYTES), path.stat().st_size)
    except OSError as exc:
        raise SourceUnreadable(f"{path.name} cannot be read", why=exc.strerror or str(exc)) from exc
    return parser_for(path.name, kind, asked, options, reading.home.plugins, reading.cwd)


def _views(trial: Trial, registered: Registered, base: str, rows: int) -> list[OutputView]:
    declared = list(declared_contracts(registered, base).values())
    views = []
    for output in trial.outputs.values():
        accepted, _rows, rejected = output.settle(declared)
        assert output.contract is not None
        shown = accepted.slice(0, rows).drop_columns(["_cf_rescued"])
        texts = [as_text(column.combine_chunks()).to_pylist() for column in shown.columns]
        views.append(
            OutputView(
                table=output.table,
                columns=list(output.contract.names),
                types=[column.type for column in output.contract.columns],
                rows=[list(row) for row in zip(*texts, strict=True)],
                rejected=[
                    RejectionView(code=row["code"], message=row["message"], start=row["start"], end=row["end"])
                    for row in rejected.slice(0, rows).to_pylist()
                ],
            )
        )
    return views


OPERATIONS = (
    Operation("inspect", InspectFile, FileFacts, Effect.READ, inspect, "What a file is, by its bytes."),
    Operation("preview", PreviewFile, Preview, Effect.READ, preview, "The first rows of a file as they would land."),
    Operation("infer", InferColumns, Inference, Effect.READ, infer, "What each column of a file can be, and why."),
)
