"""What a worker tells about files whose values may not be seen: type and place, not the text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from casparian_flow.core.closed_parsers import meets_closed_values
from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import (
    CasparianError,
    ContractFrozen,
    EnvironmentMissing,
    HomeUnavailable,
    InvariantBroken,
    ParserBrokeProtocol,
    ParserCrashed,
    ParserFailed,
    ParserRaised,
    ParserTimedOut,
    SinkError,
    SourceChanged,
    SourceUnreadable,
)
from casparian_flow.core.jobs import LogLine
from casparian_flow.protocol.bodies import Cast, Parse, Permit, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder, ParserOrder
from casparian_flow.publish.discover import SHIPPED_FOLDER
from casparian_flow.schema.closed_verdicts import TEXT
from casparian_flow.schema.masks import mask
from casparian_flow.schema.treat import Treatments
from casparian_flow.worker.actions import Fenced, Held
from casparian_flow.worker.link import Link

_OWN_WORDS = (
    ParserBrokeProtocol,
    ParserCrashed,
    ParserTimedOut,
    SinkError,
)
"""Errors whose message is ours and repeats nothing of a file; why they happened may be told by somebody else."""
_TYPE = re.compile(r"[A-Za-z_][\w.]*(?=:|$)")
_HOST_PLACE = re.compile(r"\w+ in \S+, \S+\.py line \d+")
_FRAME = re.compile(r'\s*File "([^"]*)", line \d+, in [\w.<>]+')


def is_closed(parser: ParserOrder, contracts: Mapping[str, Contract]) -> bool:
    """Whether the parser may come upon values that must not be seen, by the contracts of its tables."""
    return meets_closed_values(parser.name, parser.tables, parser.declared, contracts)


def is_ours(parser: ParserOrder) -> bool:
    """Whether the parser is one that we ship."""
    return Path(parser.path).is_relative_to(SHIPPED_FOLDER)


def treatments_in(table: str, contracts: Mapping[str, Contract], key: bytes, parser: ParserOrder) -> Treatments | None:
    """How the values of a table are treated; None where every one of them may be seen.

    Of what a closed parser brings only the columns of an open table are known to be open: a column that no contract
    knows, a table without a contract and what is said of a whole record may all repeat a closed value.
    """
    contract = contracts.get(table)
    if (contract is None or not contract.is_closed) and not is_closed(parser, contracts):
        return None
    contract = Contract(table, 0, ()) if contract is None else contract
    return Treatments(contract, key, is_vouched=is_ours(parser))


def quiet(link: Link, order: Parse | Cast) -> Link:
    """The link for an order: the same one where everything may be told."""
    return _Quiet(link, order.parser) if is_closed(order.parser, order.contracts) else link


def closed_error(parser: ParserOrder, error: CasparianError) -> CasparianError:
    """The same error with its type and place alone, but for words of which we know that they are ours."""
    if isinstance(error, (ContractFrozen, EnvironmentMissing, HomeUnavailable, SourceChanged, SourceUnreadable)):
        return error
    message, where, why = error.message, error.where, ""
    if isinstance(error, InvariantBroken):
        message, where = "the host failed", ""
        why = error.why if _HOST_PLACE.fullmatch(error.why) else ""
    elif not isinstance(error, _OWN_WORDS):
        said = error.message.removeprefix(f"{parser.name}: ")
        found = _TYPE.match(said) if isinstance(error, ParserRaised) else None
        kind = found[0] if found else type(error).__name__
        message = f"{parser.name}: {kind}; its text is not kept, since tables of this parser have closed columns"
        where = why = where if isinstance(error, ParserFailed) else ""
    closed = type(error)(message, where=where, why=why, fix=error.fix)
    closed.transient = error.transient
    return closed


def closed_line(parser: ParserOrder, line: LogLine) -> LogLine:
    """A printed line: the place of a traceback in the parser's own code, else how long it was."""
    frame = _FRAME.fullmatch(line.text)
    is_place = frame is not None and bool(parser.path) and frame[1].startswith(parser.path)
    return line if is_place else LogLine(line.stream, mask(line.text, TEXT))


class _Quiet:
    """A link that lets nothing through of which nobody knows whether it repeats a value."""

    def __init__(self, link: Link, parser: ParserOrder) -> None:
        self._link = link
        self._parser = parser

    def started(self, job: JobOrder) -> None:
        """The parser has this file now."""
        self._link.started(job)

    def progressed(self, job: JobOrder, rows: int, position: int) -> None:
        """The parser gave a sign of life."""
        self._link.progressed(job, rows, position)

    def printed(self, job: JobOrder, lines: Sequence[LogLine]) -> None:
        """The parser wrote these lines."""
        self._link.printed(job, [closed_line(self._parser, line) for line in lines])

    def failed(self, job: JobOrder, error: CasparianError) -> None:
        """The attempt ended in an error."""
        self._link.failed(job, closed_error(self._parser, error))

    def surveyed(self, jobs: Sequence[JobOrder], outcome: Surveyed) -> bool:
        """Parsed, and kept until their contracts are known, or not kept."""
        return self._link.surveyed(jobs, outcome)

    def ask(self, jobs: Sequence[JobOrder], outcome: Sealed) -> Permit | Held | Fenced:
        """Ask for the permit and wait for it."""
        return self._link.ask(jobs, outcome)

    def concluded(self, jobs: Sequence[JobOrder]) -> None:
        """Every permitted entry of the group is visible."""
        self._link.concluded(jobs)

    def stopped(self, job: JobOrder) -> None:
        """Nothing of the attempt runs or is staged."""
        self._link.stopped(job)
