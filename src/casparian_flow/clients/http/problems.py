"""Turns what went wrong into a status and a body of the type application/problem+json."""

from __future__ import annotations

import secrets
from http import HTTPStatus

import msgspec

from casparian_flow import logs
from casparian_flow.core import errors
from casparian_flow.core.errors import CasparianError, RequestInvalid
from casparian_flow.core.traces import trace

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:casparian:error:"
RETRY_SECONDS = 1

STATUSES: dict[type[CasparianError], int] = {
    CasparianError: 500,
    errors.UsageError: 422,
    errors.ConfigError: 503,
    errors.KeyReused: 422,
    errors.NotFound: 404,
    errors.HomeBusy: 409,
    errors.HomeUnavailable: 503,
    errors.ServiceBusy: 503,
    errors.TableBusy: 409,
    errors.SentinelStopped: 503,
    errors.SentinelSuperseded: 503,
    errors.Refused: 409,
    errors.Unauthenticated: 401,
    errors.ScopeMissing: 403,
    errors.PlanStale: 409,
    errors.ProposalOver: 409,
    errors.ProposalVoid: 409,
    errors.VersionChanged: 412,
    errors.KeyInUse: 409,
    errors.VerificationFailed: 409,
    errors.EnvironmentMissing: 503,
    errors.ParserFailed: 422,
    errors.SourceChanged: 409,
    errors.SourceUnreadable: 422,
    errors.OverTolerance: 409,
    errors.SinkError: 409,
    errors.SinkUnavailable: 503,
    errors.QueryFailed: 422,
    errors.ExportFailed: 503,
    errors.InvariantBroken: 500,
}
"""The status of each error; one that is not listed has that of the error it is a kind of."""

log = logs.get_log(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong: RFC 9457, and the lines of every error of the product.

    `where` of a `crash` is its id, which stands in the log of the service too.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    where: str
    why: str
    fix: str
    retryable: bool


class HttpRefused(RequestInvalid):
    """The request is not one that the API takes; `status` says what is wrong with it."""

    def __init__(
        self, status: int, message: str, *, where: str = "", why: str = "", fix: str = "", allow: str = ""
    ) -> None:
        super().__init__(message, where=where, why=why, fix=fix)
        self.status = status
        self.allow = allow


def status_of(error: CasparianError) -> int:
    """The HTTP status that says what the error says."""
    if isinstance(error, HttpRefused):
        return error.status
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def problem_of(error: BaseException) -> Problem:
    """What is told about the error. One that nobody foresaw is logged under an id, and only the id is told."""
    if isinstance(error, CasparianError):
        status = status_of(error)
        return Problem(
            type=TYPE_PREFIX + error.code,
            title=HTTPStatus(status).phrase,
            status=status,
            detail=error.message,
            code=error.code,
            where=error.where,
            why=error.why,
            fix=error.fix,
            retryable=error.transient,
        )
    crash = secrets.token_hex(8)
    log.error("api.crashed", crash=crash, error=trace(error))
    return Problem(
        type=TYPE_PREFIX + "crash",
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=500,
        detail="something that should not happen happened",
        code="crash",
        where=crash,
        why="the log of the service holds the details under this id",
        fix="send them to the maintainers",
        retryable=False,
    )


def headers_of(error: BaseException) -> dict[str, str]:
    """The headers that belong to the answer about an error."""
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="casparian"'}
    if isinstance(error, HttpRefused) and error.allow:
        return {"Allow": error.allow}
    if isinstance(error, CasparianError) and status_of(error) == 503:
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}
