"""Errors of a parser and of its environment."""

from __future__ import annotations

from casparian_flow.core.errors.base import CasparianError


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


class ParserRereadsOtherwise(ParserFailed):
    """Of some records the parser yields something else than when it reads the whole file."""

    code = "parser-rereads-otherwise"
    transient = True


class ParserReserved(ParserFailed):
    """The parser yields a column of the reserved `_cf_` namespace."""

    code = "parser-reserved-column"


class ParserInvalid(ParserFailed):
    """The file is not a parser: its manifest or its entry point cannot be read."""

    code = "parser-invalid"
    exit_code = 2
