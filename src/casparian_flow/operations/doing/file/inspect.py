"""How what `operations.file.inspect` names is done."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import ContractFrozen, NotFound, ParserInvalid, SourceUnreadable, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.core.hashing import digest_of_file
from casparian_flow.core.tables import table_from_file_name
from casparian_flow.core.times import rfc3339
from casparian_flow.lab.choice import parser_for, shipped_for
from casparian_flow.lab.contract_file import read_contracts
from casparian_flow.lab.trial import Trial, closed_trial, try_parser
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.landing import Landing, landing_of
from casparian_flow.operations.file.inspect import (
    FileFacts,
    InspectFile,
    OutputView,
    Preview,
    PreviewFile,
    RejectionView,
    VerdictView,
)
from casparian_flow.protocol.messages import ParserOrder
from casparian_flow.schema.rendering import as_text
from casparian_flow.scout.content import sniff
from casparian_flow.sdk.encodings import Encoding, detect_encoding, detect_utf_32
from casparian_flow.sentinel.planning.registered import Registered, parser_order

HEAD_BYTES = 64 << 10
HEX_BYTES = 256
NOT_TEXT = frozenset({"empty", "binary", "evtx", "sqlite"})


def inspect(_reading: Reading, request: InspectFile) -> FileFacts:
    """What the file is, by its bytes."""
    path = existing_file(_reading, request.path)
    try:
        stat = path.stat()
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        source_hash, sha256 = digest_of_file(path), _sha256(path)
    except OSError as exc:
        raise SourceUnreadable(f"{request.path} cannot be read", why=exc.strerror or str(exc)) from exc
    kind = sniff(head, stat.st_size)
    encoding = None if kind.kind in NOT_TEXT else detect_utf_32(head) or detect_encoding(path)
    found = shipped_for(path.name, kind)
    return FileFacts(
        path=display_path(os.fsencode(path)),
        size=stat.st_size,
        mtime=rfc3339(stat.st_mtime_ns),
        source_hash=source_hash,
        sha256=sha256,
        content=kind.kind,
        reason=kind.reason,
        encoding=None if encoding is None else encoding.name + (", marked" if encoding.mark else ""),
        line_ends=None if encoding is None else _line_ends(head, encoding),
        parser=found.manifest.name if found and found.manifest else None,
        table=table_from_file_name(path.name),
        head=head[:HEX_BYTES].hex(" "),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line_ends(head: bytes, encoding: Encoding) -> str:
    """How the lines of the first 64 KiB end, the most common way first."""
    text = head[encoding.mark :].decode(encoding.name, "replace")
    both = text.count("\r\n")
    counts = {"CRLF": both, "LF": text.count("\n") - both, "CR": text.count("\r") - both}
    found = sorted((name for name, count in counts.items() if count), key=lambda name: -counts[name])
    if len(found) < 2:
        return found[0] if found else "none"
    return "mixed: " + ", ".join(f"{counts[name]:,} {name}" for name in found)


def preview(reading: Reading, request: PreviewFile) -> Preview:
    """The first rows as they would land, and what would be rejected among them."""
    path = existing_file(reading, request.path)
    landing = landing_of(reading, path)
    registered = _reader(reading, path, request, landing)
    given = [] if request.contract is None else read_contracts(reading.cwd / request.contract)
    contracts = landing.contracts(reading, registered)
    order = parser_order(registered, dict(request.options))
    trial = try_parser(order, os.fsencode(path), landing.base, rows=request.rows)
    views, frozen = _views(reading, trial, order, contracts, request.rows, given)
    trial = closed_trial(order, contracts, trial)
    error = trial.error or frozen
    return Preview(
        path=display_path(os.fsencode(path)),
        parser=registered.artifact.label,
        outputs=_chosen(views, request.columns),
        verdicts=[
            VerdictView(name=note.name, value=note.value, confidence=note.confidence, runner_up=note.runner_up)
            for note in trial.verdicts
        ],
        printed=[line.text for line in trial.printed[:100]],
        error=str(error) if error else None,
        is_cut=trial.is_cut,
    )


def _reader(reading: Reading, path: Path, request: PreviewFile, landing: Landing) -> Registered:
    """The parser that is asked for, else the one that read the file last if it is still there."""
    if request.parser is None and landing.parser is not None:
        with suppress(NotFound, ParserInvalid):
            return parser_of(reading, path, landing.parser, request.options)
    return parser_of(reading, path, request.parser, request.options)


def existing_file(reading: Reading, text: str) -> Path:
    """The file at a path as typed; raises NotFound, or UsageError for a folder."""
    path = reading.cwd / text
    if not path.exists():
        raise NotFound(f"there is no {text}", where=str(reading.cwd))
    if not path.is_file():
        raise UsageError(f"{text} is not a file", fix="name one file")
    return path


def parser_of(reading: Reading, path: Path, asked: str | None, options: Mapping[str, str]) -> Registered:
    """The parser that was asked for by name or path, else the one for the file's content; it knows each option."""
    try:
        with path.open("rb") as file:
            kind = sniff(file.read(HEAD_BYTES), path.stat().st_size)
    except OSError as exc:
        raise SourceUnreadable(f"{path.name} cannot be read", why=exc.strerror or str(exc)) from exc
    return parser_for(path.name, kind, asked, options, reading.home.plugins, reading.cwd)


def _chosen(views: list[OutputView], columns: Sequence[str]) -> list[OutputView]:
    """The views with these columns only, in this order; raises UsageError for one that no output has."""
    known = list(dict.fromkeys(name for view in views for name in view.columns))
    for name in columns:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            why = f"did you mean {close[0]}?" if close else f"columns are {', '.join(known[:20])}"
            raise UsageError(f"there is no column {name!r}", why=why)
    if not columns:
        return views
    chosen = []
    for view in views:
        at = [view.columns.index(name) for name in columns if name in view.columns]
        chosen.append(
            msgspec.structs.replace(
                view,
                columns=[view.columns[each] for each in at],
                types=[view.types[each] for each in at],
                rows=[[row[each] for each in at] for row in view.rows],
            )
        )
    return chosen


def _for_tables(given: Sequence[Contract], tables: Sequence[str]) -> list[Contract]:
    """The contracts that were given, for the tables of this file; one alone is meant for a table alone."""
    if len(given) == len(tables) == 1:
        return [replace(given[0], table=tables[0])]
    if given and not {contract.table for contract in given} & set(tables):
        raise UsageError(
            "the contract is for other tables",
            why=f"it has {', '.join(each.table for each in given)}; the file gives {', '.join(tables)}",
        )
    return list(given)


def _views(
    reading: Reading,
    trial: Trial,
    parser: ParserOrder,
    contracts: Mapping[str, Contract],
    rows: int,
    given: Sequence[Contract],
) -> tuple[list[OutputView], ContractFrozen | None]:
    """The outputs, but for those that no file like this may bring rows to, and what is said of such a one."""
    wanted = {each.table: each for each in _for_tables(given, [output.table for output in trial.outputs.values()])}
    views, frozen = [], None
    for output in trial.outputs.values():
        try:
            accepted, rejected = output.settle(
                parser, contracts, reading.settings.drift.modes, wanted.get(output.table)
            )
        except ContractFrozen as exc:
            frozen = exc
            continue
        contract = output.contract
        assert contract is not None
        shown = accepted.slice(0, rows).drop_columns(["_cf_rescued"])
        texts = [as_text(column.combine_chunks()).to_pylist() for column in shown.columns]
        views.append(
            OutputView(
                table=contract.table,
                version=contract.version if contracts.get(contract.table) is contract else None,
                columns=[column.name for column in contract.table_columns],
                types=[column.table_type for column in contract.table_columns],
                rows=[list(row) for row in zip(*texts, strict=True)],
                rejected=[
                    RejectionView(code=row["code"], message=row["message"], start=row["start"], end=row["end"])
                    for row in rejected.slice(0, rows).to_pylist()
                ],
            )
        )
    return views, frozen
