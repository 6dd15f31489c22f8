"""Errors of the processes that share a home: one is busy, gone, or took over."""

from __future__ import annotations

from casparian_flow.core.errors.base import CasparianError


class HomeBusy(CasparianError):
    """Another process holds the home."""

    code = "home-busy"
    exit_code = 6
    transient = True
    hint = "casparian status"


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


class AnswerUnwritten(CasparianError):
    """Standard output takes no answer: its disk is full, or its device fails. What was asked for may be done."""

    code = "answer-unwritten"


class LeftRunning(CasparianError):
    """A person stopped watching what a sentinel does; it goes on."""

    code = "left-running"
    exit_code = 130
