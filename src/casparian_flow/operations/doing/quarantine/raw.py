"""How what `operations.quarantine.raw` names is done."""

from __future__ import annotations

import codecs
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sqlalchemy import Connection

from casparian_flow.core.closed_parsers import meets_closed_values
from casparian_flow.core.errors import KeyMissing, SourceChanged, SourceUnreadable, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.core.lineage import row_address
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.quarantine.causes import find_group
from casparian_flow.operations.doing.quarantine.evidence_bytes import Evidence, Held
from casparian_flow.operations.doing.quarantine.fault_place import Dialect, Fault, Span, fault_span
from casparian_flow.operations.doing.quarantine.rows import reason_of, rows_of_group
from casparian_flow.operations.quarantine.causes import GroupEntry
from casparian_flow.operations.quarantine.raw import AskRaw, RawRecord, RawRecords, RevealRaw
from casparian_flow.scout.magic import archive_name
from casparian_flow.sdk.encodings import HEAD_BYTES, detect_unicode
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.sentinel.queue.dispatch import relevant_contracts
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import keys as key_store
from casparian_flow.store import revelations
from casparian_flow.store.views import history
from casparian_flow.store.views import jobs as job_view
from casparian_flow.store.views import quarantine as view

MOST_BYTES = 1 << 20
"""Of one record; the fault is looked for in so much of it."""
LONGEST_TEXT = 8192
"""Characters that are told of one record, those around its fault."""
LONGEST_REASON = 1000
HEX_BYTES = 256
LISTED = ("zip", "tar")
"""Formats whose members can be listed, though nothing is unpacked."""
BACKSLASHED = "backslashreplace"


def raw(reading: Reading, request: AskRaw) -> RawRecords:
    """The first records of a group, read from their sources; raises NotFound."""
    group = find_group(reading.connection, request.group, reading.now_ns)
    return _records(reading, group, request.rows, is_closed=_is_closed(reading.connection, group))


def reveal(acting: Acting, request: RevealRaw) -> RawRecords:
    """The same, also of a table with closed columns. Who asked, when and why is kept before anything is read.

    Raises KeyMissing for somebody who may not decide, UsageError without a reason, NotFound.
    """
    if not request.reason.strip() or len(request.reason) > LONGEST_REASON:
        raise UsageError(
            f"say in at most {LONGEST_REASON} characters why closed values are to be seen", fix="--reason TEXT"
        )
    now_ns = acting.clock()
    with acting.database.transaction() as connection:
        if acting.actor not in {key.actor for key in key_store.living_keys(connection)}:
            raise KeyMissing(f"{acting.actor} has no key in this home, and so may not see closed values")
        group = find_group(connection, request.group, now_ns)
        revelations.keep(connection, group.group, request.rows, acting.actor, request.reason, now_ns)
    with acting.database.transaction() as connection:
        reading = Reading(
            home=acting.home, settings=acting.settings, connection=connection, cwd=acting.cwd, now_ns=now_ns
        )
        return _records(reading, group, request.rows, is_closed=False)


def _records(reading: Reading, group: GroupEntry, rows: int, *, is_closed: bool) -> RawRecords:
    look = Look(reading.connection, is_closed=is_closed, table=group.table)
    records: list[RawRecord] = []
    for batch in rows_of_group(reading, group):
        records += [raw_record(look, row) for row in batch.slice(0, rows - len(records)).to_pylist()]
        if len(records) >= rows:
            break
    return RawRecords(group=group.group, records=records, left=max(0, group.rows - len(records)))


class Look:
    """What is needed to find records in their sources; each source is opened once."""

    def __init__(self, connection: Connection, *, table: str, is_closed: bool) -> None:
        """`is_closed`: nothing of the records may be shown."""
        self.table = table
        self.is_closed = is_closed
        self.evidence = Evidence(connection)
        self.path_of = cache(partial(history.path_of_version, connection))
        self.verdicts_of = cache(partial(_verdicts, connection))


def raw_record(look: Look, row: Mapping[str, Any]) -> RawRecord:
    """One row of the quarantine as it stands in its source, or why it cannot be shown."""
    found, trouble = None, None
    if not look.is_closed:
        try:
            found = _found(look, row)
        except (Unavailable, SourceChanged, SourceUnreadable) as exc:
            trouble = str(exc)
    record = row["_cf_source_row"]
    errors = row["errors"] or ()
    return RawRecord(
        row=None if record is None else row_address(row["_cf_source_hash"], record),
        path=look.path_of(row["_cf_file_version_id"]),
        source_row=record,
        start=row["start"],
        end=row["end"],
        locator=row["locator"],
        message=row["message"],
        reason=reason_of(errors[0], row["message"]) if errors else row["message"],
        text="" if found is None else found.text,
        is_hex=found is not None and found.is_hex,
        fault_start=None if found is None or found.span is None else found.span[0],
        fault_end=None if found is None or found.span is None else found.span[1],
        is_cut=found is not None and found.is_cut,
        is_closed=look.is_closed,
        trouble=trouble,
    )


class Unavailable(Exception):
    """Why the bytes of a record cannot be shown."""


@dataclass(frozen=True, slots=True)
class _Found:
    text: str
    span: Span | None
    is_cut: bool
    is_hex: bool = False


def _found(look: Look, row: Mapping[str, Any]) -> _Found:
    held = look.evidence.held(row["_cf_source_hash"])
    if isinstance(held, str):
        raise Unavailable(held)
    start, end = row["start"], row["end"]
    has_range = start is not None and end is not None
    if (form := archive_name(held.read(0, HEAD_BYTES))) is not None and not (form == "tar" and has_range):
        raise Unavailable(_packed(form, held, row))
    if not has_range:
        return _by_locator(look, held, row)
    size = max(0, end - start)
    data = held.read(start, min(size, MOST_BYTES))
    verdicts = look.verdicts_of(row["_cf_job_id"])
    encoding = _encoding(verdicts.get("encoding") or detect_unicode(held.read(0, HEAD_BYTES)).name)
    if "\0" in data.decode(encoding, "ignore") and row["code"] != "cf.csv.nul":
        return _Found(data[:HEX_BYTES].hex(" "), None, size > HEX_BYTES, is_hex=True)
    text = data.decode(encoding, BACKSLASHED).removesuffix("\n").removesuffix("\r")
    span = _undecodable(data, encoding) or fault_span(text, _fault_of(row), _dialect(verdicts, look.table))
    return _windowed(text, span, is_cut=size > len(data))


def _packed(form: str, held: Held, row: Mapping[str, Any]) -> str:
    """Why a record of a packed file is not shown: the bytes that its parser saw stand nowhere as they are."""
    where = row["locator"] or f"record {row['_cf_source_row']}"
    if row["start"] is not None and row["end"] is not None:
        where += f", bytes {row['start']} to {row['end']} of what was unpacked"
    listed = f"; casparian inspect {shlex.quote(display_path(held.path))} --archive" if form in LISTED else ""
    return f"it lies packed in a {form} file, of which nothing is unpacked here: its parser says {where}{listed}"


def _by_locator(look: Look, held: Held, row: Mapping[str, Any]) -> _Found:
    """A row of a database, in which a record has no bytes of its own; it is told as JSON."""
    record, suffix = row["_cf_source_row"], look.table.partition("__")[2]
    if record is None or not suffix or not held.is_database:
        raise Unavailable(f"its parser says no bytes for {row['locator'] or f'record {record}'}")
    text = held.sqlite_row(suffix, record)
    return _windowed(text, fault_span(text, _fault_of(row), None), is_cut=False)


def _windowed(text: str, span: Span | None, *, is_cut: bool) -> _Found:
    """As much of a text as is told, around its fault."""
    first = max(0, min((span or (0, 0))[0] - LONGEST_TEXT // 2, len(text) - LONGEST_TEXT))
    shown = text[first : first + LONGEST_TEXT]
    moved = None if span is None else (min(span[0] - first, len(shown)), min(span[1] - first, len(shown)))
    return _Found(shown, moved, is_cut or len(shown) < len(text))


def _undecodable(data: bytes, encoding: str) -> Span | None:
    """The characters that stand for the first bytes which are no text; the last character may just be cut."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError as exc:
        if exc.end >= len(data) and len(data) == MOST_BYTES:
            return None
        first = len(data[: exc.start].decode(encoding, BACKSLASHED))
        return first, first + 4 * (exc.end - exc.start)
    return None


def _encoding(named: str) -> str:
    try:
        return codecs.lookup(named).name
    except LookupError:
        return "utf-8"


def _fault_of(row: Mapping[str, Any]) -> Fault:
    first = next(iter(row["errors"] or ()), None) or {}
    return Fault(
        code=row["code"],
        message=row["message"],
        column=first.get("column"),
        observed=first.get("observed"),
        columns=list(json.loads(row["values"])) if row["values"] else (),
    )


def _dialect(verdicts: Mapping[str, str], table: str) -> Dialect | None:
    """That of the table within its file; a further one is named after its output."""
    at = f"{table.rpartition('__')[2]}."
    named = {name: verdicts.get(at + name) or verdicts.get(name) for name in ("delimiter", "quote", "escape")}
    delimiter = named["delimiter"]
    if delimiter is None or delimiter == "none":
        return None
    quote, escape = (
        None if value in (None, "none", "double") else value for value in (named["quote"], named["escape"])
    )
    return Dialect(delimiter=delimiter, quote=quote, escape=escape)


def _verdicts(connection: Connection, job: int) -> dict[str, str]:
    """The first of each name: what comes later under it is about something further down in the file."""
    found: dict[str, str] = {}
    for each in job_view.verdicts_of(connection, job):
        found.setdefault(each["name"], each["value"])
    return found


def _is_closed(connection: Connection, group: GroupEntry) -> bool:
    """Whether the records of a group may hold a closed value, so that they are shown to nobody who may only read.

    A record stands in its source beside those of the other tables that its parser brings: it is as closed as any of
    them. Of a table without a contract nobody knows, so it is as closed as any other of the home.
    """
    contracts = contract_store.in_force(connection)
    own = contracts.get(group.table)
    if own.is_closed if own is not None else any(each.is_closed for each in contracts.values()):
        return True
    for number, bases in view.read_by(connection, group.table, group.group).items():
        parser = load_registered(connection, number)
        relevant = relevant_contracts(parser, bases, contracts)
        if meets_closed_values(parser.artifact.name, parser.manifest.tables, parser.manifest.outputs, relevant):
            return True
    return False
