"""One parser, how it fared, and ending the pause that failures brought it into."""

from __future__ import annotations

from casparian_flow.operations.parser.parsers import ParserEntry
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ShowParser(Request, frozen=True, kw_only=True):
    """One parser by its name."""

    parser: str


class ParserFailure(Reply, frozen=True, kw_only=True):
    """A job that failed in the parser."""

    job: str
    path: str
    error: str
    message: str
    finished: str | None


class ParserDetail(Reply, frozen=True, kw_only=True):
    """The newest artifact of a parser, what it subscribes to, and its last failures, newest first."""

    parser: ParserEntry
    content: list[str]
    subscriptions: list[str]
    priority: int
    failed: list[ParserFailure]


class ResumeParser(Request, frozen=True, kw_only=True):
    """A parser whose pause ends, in every version of it."""

    parser: str


class ParserResumed(Reply, frozen=True, kw_only=True):
    """What was paused: the versions of the parser that run again, and the jobs that were refused meanwhile."""

    parser: str
    versions: list[str]
    refused: int


OPERATIONS = (
    Operation(
        "parser.resume",
        ResumeParser,
        ParserResumed,
        Effect.EXECUTE,
        "parser.pause.resume",
        "Let a parser run again that was paused after failures.",
    ),
    Operation(
        "parser.show", ShowParser, ParserDetail, Effect.READ, "parser.pause.show", "One parser, and how it fared."
    ),
)
