"""Parsers: those that are there, those that this home has seen, and what their source shows."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListParsers(Request, frozen=True, kw_only=True):
    """The newest artifact of every parser, or with `versions` every one."""

    versions: bool = False


class ParserEntry(Reply, frozen=True, kw_only=True):
    """One parser at one content in one environment; `jobs` is how often it ran, `error` why it cannot be used.

    `failures` of its jobs came one after another; since `paused` its jobs are refused for that.
    """

    name: str
    version: str
    status: str
    origin: str
    artifact_hash: str
    env_hash: str
    path: str
    jobs: int
    registered: str | None
    failures: int = 0
    paused: str | None = None
    error: str | None = None


class ParserList(Reply, frozen=True, kw_only=True):
    """Parsers by name, the newest artifact first."""

    parsers: list[ParserEntry]


class CheckParser(Request, frozen=True, kw_only=True):
    """A parser's name, or its file or folder."""

    parser: str


class FindingView(Reply, frozen=True, kw_only=True):
    """One thing that the source shows: a note, or what is refused."""

    grade: str
    file: str
    line: int
    text: str


class ParserCheck(Reply, frozen=True, kw_only=True):
    """What a parser's source shows before anybody runs it. `error` says why it is no parser."""

    path: str
    name: str | None
    version: str | None
    entry: str | None
    content: list[str]
    outputs: list[str]
    requires: list[str]
    imports: list[str]
    foreign_imports: list[str]
    findings: list[FindingView]
    is_refused: bool
    error: str | None
    notice: str


OPERATIONS = (
    Operation(
        "parser.list",
        ListParsers,
        ParserList,
        Effect.READ,
        "parser.parsers.list_",
        "Parsers that are there or were seen.",
    ),
    Operation(
        "parser.check",
        CheckParser,
        ParserCheck,
        Effect.READ,
        "parser.parsers.check",
        "What a parser's source shows.",
        reads=("parser",),
    ),
)
