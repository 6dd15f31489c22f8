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
├── LeftRunning           exit 130 a person stopped watching; the sentinel goes on
├── Refused               exit 4   a person must approve first
├── Unauthenticated       exit 1   the service does not know who asks
├── ScopeMissing          exit 1   whoever asks may not ask for this
├── PlanStale             exit 1   the world moved since the plan was made
├── VersionChanged        exit 1   it is no longer what the asker saw
├── KeyInUse              exit 1   the same request is being done, or was broken off
├── VerificationFailed    exit 7   something does not match its digest or contract
├── EnvironmentMissing    exit 9   the parser's environment is not available here
├── ParserFailed          exit 1   the parser refused, crashed, hung or broke the protocol
├── SinkError             exit 1   a target cannot take the tables
├── QueryFailed           exit 1   a query could not be answered
├── ExportFailed          exit 1   a file could not be written to its end
└── InvariantBroken       exit 1   a bug of ours, with what is needed for a report

Rows that do not fit are data (`core.quarantine`), never exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator


class CasparianError(Exception):
    """The root. `message` says what happened; `where`, `why` and `fix` are one line each."""

    code = "error"
    exit_code = 1
    hint = ""
    transient = False

    def __init__(self, message: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.why = why
        self.fix = fix or self.hint


class UsageError(CasparianError):
    """The request itself is wrong."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown, or its value does not fit."""

    code = "config-invalid"
    hint = "casparian config show"


class RequestInvalid(UsageError):
    """What arrived over HTTP is not a request that the API takes."""

    code = "request-invalid"


class KeyReused(UsageError):
    """An Idempotency-Key came back with another request."""

    code = "key-reused"
    hint = "choose a new Idempotency-Key for every change"


class NotFound(CasparianError):
    """Nothing of that name exists."""

    code = "not-found"
    exit_code = 5


class NoParser(NotFound):
    """No parser reads a file with such content."""

    code = "no-parser"
    hint = "casparian parser list"


class HomeBusy(CasparianError):
    """Another process holds the home."""

    code = "home-busy"
    exit_code = 6
    transient = True
    hint = "wait for it to finish, then repeat the command"


class HomeUnavailable(CasparianError):
    """The files of the home cannot be written: its disk is full, or reports errors."""

    code = "home-unavailable"
    transient = True
    hint = "casparian doctor"


class ServiceBusy(CasparianError):
    """The service does as many things at once as it may already."""

    code = "service-busy"
    exit_code = 6
    transient = True
    hint = "ask again in a moment"


class TableBusy(CasparianError):
    """The files of the table are being merged by another command."""

    code = "table-busy"
    exit_code = 6
    transient = True
    hint = "wait for it to finish; then there may be nothing left to merge"


class SentinelSuperseded(CasparianError):
    """Another sentinel took the home over; this one may not write any more."""

    code = "sentinel-superseded"
    exit_code = 6
    hint = "casparian status"


class SentinelStopped(CasparianError):
    """The sentinel ended before the run did; its open jobs go on when one is started again."""

    code = "sentinel-stopped"
    exit_code = 6
    transient = True
    hint = "casparian start"


class SentinelMissing(CasparianError):
    """No sentinel answers where one was asked for."""

    code = "sentinel-missing"
    exit_code = 6
    transient = True
    hint = "casparian start"


class ConnectionLost(CasparianError):
    """The answer of a sentinel never came; what it had recorded by then is kept."""

    code = "connection-lost"
    exit_code = 6
    transient = True
    hint = "casparian status"


class LeftRunning(CasparianError):
    """A person stopped watching what a sentinel does; it goes on."""

    code = "left-running"
    exit_code = 130


class Refused(CasparianError):
    """Policy asks for a person's approval first."""

    code = "approval-required"
    exit_code = 4


class Unauthenticated(CasparianError):
    """The service does not know who asks: the token is missing, unknown, expired or revoked."""

    code = "unauthenticated"
    hint = "casparian token add NAME --scope read"


class ScopeMissing(CasparianError):
    """Whoever asks is known, and may not ask for this."""

    code = "scope-missing"


class KeyInUse(CasparianError):
    """A request with the same Idempotency-Key is being done, or was broken off and nobody knows how far it came."""

    code = "key-in-use"


class WorkerRefused(Refused):
    """The sentinel does not let this worker in."""

    code = "worker-refused"
    hint = "casparian worker invite (where the sentinel runs), then join with what it prints"


class PlanStale(CasparianError):
    """The saved plan no longer describes the world."""

    code = "plan-stale"
    hint = "casparian plan"


class VersionChanged(CasparianError):
    """It is no longer in the state that the asker saw; nothing was changed."""

    code = "version-changed"
    transient = True
    hint = "look at it again, then decide again"


class VerificationFailed(CasparianError):
    """Stored bytes do not match what was recorded about them."""

    code = "verification-failed"
    exit_code = 7


class EnvironmentMissing(CasparianError):
    """A library that the parser requires is not installed here."""

    code = "environment-missing"
    exit_code = 9


class ParserFailed(CasparianError):
    """The parser did not read the file to its end."""

    code = "parser-failed"


class ParserRefused(ParserFailed):
    """The parser says that it can never read this file."""

    code = "parser-refused"


class ParserTransient(ParserFailed):
    """The parser says that something outside the file failed."""

    code = "parser-transient"
    transient = True


class ParserRaised(ParserFailed):
    """The parser ended in an exception of its own."""

    code = "parser-raised"


class ParserCrashed(ParserFailed):
    """The parser's process was ended by a signal or left early."""

    code = "parser-crashed"


class ParserTimedOut(ParserFailed):
    """The parser did not finish within the job's time limit."""

    code = "parser-timed-out"


class ParserBrokeProtocol(ParserFailed):
    """What arrived from the parser's process is not a valid stream."""

    code = "parser-broke-protocol"


class ParserReserved(ParserFailed):
    """The parser yields a column of the reserved `_cf_` namespace."""

    code = "parser-reserved-column"


class ParserInvalid(ParserFailed):
    """The file is not a parser: its manifest or its entry point cannot be read."""

    code = "parser-invalid"
    exit_code = 2


class SourceChanged(CasparianError):
    """The file changed while it was read; nothing of it became visible."""

    code = "source-changed"
    transient = True


class SourceUnreadable(CasparianError):
    """The file can be listed but not read."""

    code = "source-unreadable"


class OverTolerance(CasparianError):
    """More rows were rejected than the policy tolerates; the file is held."""

    code = "over-tolerance"


class SinkError(CasparianError):
    """A target cannot take the tables."""

    code = "sink-error"


class SinkUnavailable(SinkError):
    """The target cannot be reached or opened."""

    code = "sink-unavailable"
    transient = True


class OutputExists(SinkError):
    """The target already has rows and its mode is `error`."""

    code = "output-exists"
    hint = "use --mode append or --mode replace, or choose another table"


class TargetOwned(SinkError):
    """Another home writes to the target; two would give their commits the same numbers."""

    code = "target-owned"
    hint = "choose another target with --sink, or run in the home that owns it"


class TargetTaken(SinkError):
    """The target holds something of somebody else under a name that is needed."""

    code = "target-taken"
    hint = "choose another table, or another target"


class LogConflict(SinkError):
    """A commit's log entry exists already with other bytes."""

    code = "log-conflict"
    hint = "casparian doctor"


class QueryRefused(UsageError):
    """The console only reads published tables."""

    code = "query-refused"
    hint = "casparian tables"


class QueryFailed(CasparianError):
    """The query is allowed but could not be answered."""

    code = "query-failed"


class QueryTimedOut(QueryFailed):
    """The query took longer than its limit and was stopped."""

    code = "query-timed-out"
    hint = "repeat it with a larger --timeout, or a narrower WHERE"


class ExportFailed(CasparianError):
    """The file could not be written to its end; nothing is left of it."""

    code = "export-failed"


class InvariantBroken(CasparianError):
    """A promise of the product does not hold: a bug."""

    code = "invariant-broken"
    hint = "casparian doctor"


class IllegalMove(InvariantBroken):
    """A job cannot go from its state to that one."""

    code = "illegal-move"


EXIT_CODES = {
    0: "Done; nothing is in the way.",
    1: "It failed; the error says why.",
    2: "The request itself is wrong: an option, a setting, a URI.",
    3: "Finished, but rows were quarantined or files failed.",
    4: "A person must approve first.",
    5: "Nothing of that name exists.",
    6: "Another process holds the home, or no sentinel answers; trying again later can help.",
    7: "Something does not match its digest or its contract.",
    8: "Aborted.",
    9: "The parser's environment is not available here.",
    130: "Stopped by the keyboard (Ctrl-C) or by SIGTERM.",
    141: "The reader of the output went away.",
}
"""What the exit code of a command says. Codes about files are about those of this run only."""


def every_error(kind: type[CasparianError] = CasparianError) -> Iterator[type[CasparianError]]:
    """The kind and all below it that this file lists: a parent before its children."""
    yield kind
    for each in kind.__subclasses__():
        if each.__module__ == __name__:
            yield from every_error(each)
