"""Turns the problem that a sentinel answers back into the error that an operation raised there."""

from __future__ import annotations

import msgspec

from casparian_flow.core.errors import CasparianError, ConnectionLost, every_error


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    detail: str
    where: str = ""
    why: str = ""
    fix: str = ""
    retryable: bool = False


class UnknownProblem(CasparianError):
    """An error that this version has no name for; its code is that of the sentinel."""


def error_of(body: bytes, name: str) -> CasparianError:
    """The error that a body of the type application/problem+json from that place tells of."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeError) as exc:
        raise ConnectionLost("what answered is no sentinel of this product", where=name, why=repr(body[:100])) from exc
    kind = next((each for each in every_error() if each.code == problem.code), UnknownProblem)
    error = kind(problem.detail, where=problem.where, why=problem.why, fix=problem.fix)
    if kind is UnknownProblem:
        error.code = problem.code
        error.transient = problem.retryable
    return error
