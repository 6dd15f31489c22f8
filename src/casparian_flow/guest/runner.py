"""Runs the jobs of one order, one section each."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from casparian_flow.guest.loader import Entry, load
from casparian_flow.guest.pandas_import import spare_pandas
from casparian_flow.guest.problems import BadYield, NotAParser, ReservedColumn
from casparian_flow.guest.section import Section
from casparian_flow.guest.sources import import_parser
from casparian_flow.guest.wire import Kind, Wire
from casparian_flow.sdk import Context, PermanentError, Span, TransientError

TRACE_LINES = 12

Importing = Callable[[Any], ModuleType]
"""Gives the main module of an order's parser; raises what its module body raises."""


def import_module(parser: Any) -> ModuleType:
    """Import the parser of an order; raises what its module body raises."""
    path = Path(parser["path"])
    spare_pandas(path, parser["requires"])
    return import_parser(path)


def run(wire: Wire, order: Any, importing: Importing = import_module) -> None:
    """Parse every file of the order; a failure closes its own section only."""
    parser = order["parser"]
    entry: Entry | BaseException | None = None
    failed_at: TracebackType | None = None
    for job in order["jobs"]:
        section = Section(wire, job["job"], order["frame_bytes"])
        context = Context(job["source_hash"], job["file_version"], parser["options"], **_spans(job))
        try:
            if entry is None:
                entry = _load(parser, importing)
                failed_at = entry.__traceback__ if isinstance(entry, BaseException) else None
            if isinstance(entry, BaseException):
                raise entry.with_traceback(failed_at)  # else it grows with each job
            entry(Path(job["path"]), context, section.emit)
            section.finish()
        except (Exception, SystemExit) as exc:
            _flush_streams()
            section.fail(_kind(exc), _message(exc), _where(exc, parser["path"]), _trace(exc))
        else:
            _flush_streams()
            section.close()
        wire.await_go()
    wire.send(Kind.BYE, {})
    wire.flush()
    wire.await_go()  # which never comes: the host kills us, and with us what the parser left running


def _spans(job: Any) -> dict[str, Any]:
    """What a job says of the records that are to be read, if not all are."""
    if "spans" not in job:
        return {}
    return {"spans": tuple(Span(*each) for each in job["spans"]), "verdicts": job["verdicts"]}


def _load(parser: Any, importing: Importing) -> Entry | BaseException:
    try:
        return load(importing(parser), parser["name"], parser["options"])
    except (Exception, SystemExit) as exc:
        return exc


def _flush_streams() -> None:
    """What the parser printed is in the pipes before its section closes."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue  # the parser closed or replaced it: then there is nothing of ours to flush


def _kind(exc: BaseException) -> str:
    if isinstance(exc, PermanentError):
        return "permanent"
    if isinstance(exc, TransientError):
        return "transient"
    if isinstance(exc, ReservedColumn):
        return "reserved-column"
    if isinstance(exc, BadYield):
        return "bad-yield"
    return "invalid" if isinstance(exc, NotAParser) else "raised"


def _message(exc: BaseException) -> str:
    if isinstance(exc, (PermanentError, TransientError, ReservedColumn, BadYield, NotAParser)):
        return str(exc) or type(exc).__name__
    return "".join(traceback.format_exception_only(exc)).strip()


def _where(exc: BaseException, parser: str) -> str:
    """The last line of the parser's own code that the exception passed."""
    own = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename.startswith(parser)]
    return f"{own[-1].filename}:{own[-1].lineno} in {own[-1].name}" if own else ""


def _trace(exc: BaseException) -> str:
    return "\n".join("".join(traceback.format_exception(exc)).splitlines()[-TRACE_LINES:])
