"""Errors of whoever asks: the request is wrong, names nothing, or may not be made."""

from __future__ import annotations

from casparian_flow.core.errors.base import CasparianError


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


class RuleInvalid(UsageError):
    """A value rule asks for something that it cannot say, or that its table cannot keep."""

    code = "rule-invalid"
    hint = "casparian contract show TABLE"


class KeyReused(UsageError):
    """An Idempotency-Key came back with another request."""

    code = "key-reused"
    hint = "choose a new Idempotency-Key for every change"


class QueryRefused(UsageError):
    """The console only reads published tables."""

    code = "query-refused"
    hint = "casparian tables"


class NotFound(CasparianError):
    """Nothing of that name exists."""

    code = "not-found"
    exit_code = 5


class NoParser(NotFound):
    """No parser reads a file with such content."""

    code = "no-parser"
    hint = "casparian parser list"


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
