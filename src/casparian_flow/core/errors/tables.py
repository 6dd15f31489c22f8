"""Errors of the tables: a target cannot take them, a query or an export cannot read them."""

from __future__ import annotations

from casparian_flow.core.errors.base import CasparianError


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
