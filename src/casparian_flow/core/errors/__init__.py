"""The error tree: every error knows its code, what to do next, and whether trying again can help.

CasparianError
├── UsageError            exit 2   bad option, bad configuration, bad URI
├── NotFound              exit 5   no such file, table, job, contract, parser
├── HomeBusy              exit 6   another process holds the home
├── HomeUnavailable       exit 1   the disk of the home is full or reports errors
├── ServiceBusy           exit 6   the service does as much as it may already
├── TableBusy             exit 6   the files of the table are being merged
├── SentinelSuperseded    exit 6   another sentinel took the home over
├── SentinelStopped       exit 6   the sentinel ended before the run did
├── SentinelMissing       exit 6   no sentinel answers where one was asked for
├── ConnectionLost        exit 6   the answer of a sentinel never came
├── AnswerUnwritten       exit 1   standard output takes no answer; what was asked for may be done
├── LeftRunning           exit 130 a person stopped watching; the sentinel goes on
├── Refused               exit 4   a person must approve first
├── Unauthenticated       exit 1   the service does not know who asks
├── ScopeMissing          exit 1   whoever asks may not ask for this
├── PlanStale             exit 1   the world moved since the plan was made
├── ProposalVoid          exit 1   what the proposal was made for is not there any more
├── VersionChanged        exit 1   it is no longer what the asker saw
├── KeyInUse              exit 1   the same request is being done, or was broken off
├── VerificationFailed    exit 7   something does not match its digest or contract
├── ApprovalInvalid       exit 7   a decision is not signed by who it says, or is about something else
├── EnvironmentMissing    exit 9   the parser's environment is not available here
├── ParserFailed          exit 1   the parser refused, crashed, hung or broke the protocol
├── ContractFrozen        exit 1   the file differs from a contract that says freeze
├── ToleranceFailed       exit 1   more rows were rejected than a tolerance allows
├── QuarantineFull        exit 1   the quarantine would grow beyond its cap
├── SinkError             exit 1   a target cannot take the tables
├── QueryFailed           exit 1   a query could not be answered
├── ExportFailed          exit 1   a file could not be written to its end
└── InvariantBroken       exit 1   a bug of ours, with what is needed for a report

Rows that do not fit are data (`core.quarantine`), never exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator

from casparian_flow.core.errors.base import INSTEAD, CasparianError
from casparian_flow.core.errors.decisions import (
    ApprovalInvalid,
    KeyMissing,
    PlanStale,
    ProposalOver,
    ProposalVoid,
    Refused,
    SelfApproval,
    VersionChanged,
    WorkerRefused,
)
from casparian_flow.core.errors.exit_codes import EXIT_CODES
from casparian_flow.core.errors.parsers import (
    EnvironmentMissing,
    ParserBrokeProtocol,
    ParserCrashed,
    ParserFailed,
    ParserInvalid,
    ParserRaised,
    ParserRefused,
    ParserRereadsOtherwise,
    ParserReserved,
    ParserTimedOut,
    ParserTransient,
)
from casparian_flow.core.errors.proofs import (
    CanaryFailed,
    Erased,
    IllegalMove,
    InvariantBroken,
    VerdictContradicted,
    VerificationFailed,
)
from casparian_flow.core.errors.requests import (
    ConfigError,
    KeyInUse,
    KeyReused,
    NoParser,
    NotFound,
    QueryRefused,
    RequestInvalid,
    RuleInvalid,
    ScopeMissing,
    Unauthenticated,
    UsageError,
)
from casparian_flow.core.errors.services import (
    AnswerUnwritten,
    ConnectionLost,
    HomeBusy,
    HomeUnavailable,
    LeftRunning,
    SentinelMissing,
    SentinelStopped,
    SentinelSuperseded,
    ServiceBusy,
    TableBusy,
)
from casparian_flow.core.errors.sources import (
    ContractFrozen,
    OverTolerance,
    QuarantineFull,
    SourceChanged,
    SourceUnreadable,
    ToleranceFailed,
)
from casparian_flow.core.errors.tables import (
    ExportFailed,
    LogConflict,
    OutputExists,
    QueryFailed,
    QueryTimedOut,
    SinkError,
    SinkUnavailable,
    TargetOwned,
    TargetTaken,
)

__all__ = [
    "EXIT_CODES",
    "INSTEAD",
    "AnswerUnwritten",
    "ApprovalInvalid",
    "CanaryFailed",
    "CasparianError",
    "ConfigError",
    "ConnectionLost",
    "ContractFrozen",
    "EnvironmentMissing",
    "Erased",
    "ExportFailed",
    "HomeBusy",
    "HomeUnavailable",
    "IllegalMove",
    "InvariantBroken",
    "KeyInUse",
    "KeyMissing",
    "KeyReused",
    "LeftRunning",
    "LogConflict",
    "NoParser",
    "NotFound",
    "OutputExists",
    "OverTolerance",
    "ParserBrokeProtocol",
    "ParserCrashed",
    "ParserFailed",
    "ParserInvalid",
    "ParserRaised",
    "ParserRefused",
    "ParserRereadsOtherwise",
    "ParserReserved",
    "ParserTimedOut",
    "ParserTransient",
    "PlanStale",
    "ProposalOver",
    "ProposalVoid",
    "QuarantineFull",
    "QueryFailed",
    "QueryRefused",
    "QueryTimedOut",
    "Refused",
    "RequestInvalid",
    "RuleInvalid",
    "ScopeMissing",
    "SelfApproval",
    "SentinelMissing",
    "SentinelStopped",
    "SentinelSuperseded",
    "ServiceBusy",
    "SinkError",
    "SinkUnavailable",
    "SourceChanged",
    "SourceUnreadable",
    "TableBusy",
    "TargetOwned",
    "TargetTaken",
    "ToleranceFailed",
    "Unauthenticated",
    "UsageError",
    "VerdictContradicted",
    "VerificationFailed",
    "VersionChanged",
    "WorkerRefused",
    "every_error",
]


def every_error(kind: type[CasparianError] = CasparianError) -> Iterator[type[CasparianError]]:
    """The kind and all below it that this package lists: a parent before its children."""
    yield kind
    for each in kind.__subclasses__():
        if each.__module__.startswith(f"{__name__}."):
            yield from every_error(each)
