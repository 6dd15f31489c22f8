"""`casparian parser`: what turns files into rows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import options_of, shared_options
from casparian_flow.clients.cli.proposal_lines import proposal_lines
from casparian_flow.clients.cli.render import Column, Kind, plain, readable

if TYPE_CHECKING:
    from casparian_flow.operations.parser.cases import ParserTest
    from casparian_flow.operations.parser.options import StandingOptions
    from casparian_flow.operations.parser.parsers import ParserCheck
    from casparian_flow.operations.parser.pause import ParserDetail, ParserResumed

COLUMNS = (
    Column("name"),
    Column("version"),
    Column("status"),
    Column("origin"),
    Column("jobs", Kind.COUNT),
    Column("paused", Kind.TIME),
    Column("path"),
    Column("registered", Kind.TIME),
    Column("error"),
)
FAILED, NO_PARSER, REFUSED, MISMATCH = 1, 2, 7, 7
"""Exit codes: it failed on a file; it is none; it holds what no parser needs; its rows are not the expected ones."""


@click.group("parser", cls=Noun)
@shared_options
def command() -> None:
    """What turns files into rows, and how far it is trusted."""


@command.command("list")
@click.option("--versions", is_flag=True, help="Every artifact ever seen, not only the newest.")
@pass_face
def list_(face: Face, versions: bool) -> None:
    """Parsers that are there, and those that this home has seen."""
    from casparian_flow.operations.parser.parsers import ListParsers, ParserEntry

    reply = face.ask("parser.list", ListParsers(versions=versions))
    face.show_list("casparian.parsers/1", "parsers", reply.parsers, COLUMNS, ParserEntry)
    if any(parser.error for parser in reply.parsers):
        face.note("casparian parser check NAME says all that is wrong with a broken one")


@command.command("show")
@click.argument("parser", metavar="NAME")
@pass_face
def show(face: Face, parser: str) -> None:
    """One parser: what it reads, what it subscribes to, whether it is paused, and its last failures."""
    from casparian_flow.operations.parser.pause import ShowParser

    reply = face.ask("parser.show", ShowParser(parser=parser))
    face.show("casparian.parser/1", reply, _lines(reply))


@command.command("resume")
@click.argument("parser", metavar="NAME")
@pass_face
def resume(face: Face, parser: str) -> None:
    """Let a parser run again that was paused because its jobs failed one after another."""
    from casparian_flow.operations.parser.pause import ResumeParser

    reply = face.ask("parser.resume", ResumeParser(parser=parser))
    face.show("casparian.parser.resumed/1", reply, _resumed_lines(reply))


@command.command("check")
@click.argument("parser", metavar="NAME|PATH")
@pass_face
def check(face: Face, parser: str) -> int:
    """What a parser's source shows before anybody runs it: static hints, not a boundary."""
    from casparian_flow.operations.parser.parsers import CheckParser

    reply = face.ask("parser.check", CheckParser(parser=parser))
    face.show("casparian.parser.check/1", reply, _check_lines(reply))
    return REFUSED if reply.is_refused else NO_PARSER if reply.error else 0


@command.command("test")
@click.argument("parser", metavar="NAME|PATH")
@click.option("-i", "--input", "files", multiple=True, metavar="FILE", help="A file to read; may be repeated.")
@click.option("--cases", metavar="DIR", help="Folders with input.* and expected.jsonl. Default: the parser's cases/.")
@click.option("--option", "options", multiple=True, metavar="K=V", help="An option of the parser.")
@pass_face
def test(face: Face, parser: str, files: tuple[str, ...], cases: str | None, options: tuple[str, ...]) -> int:
    """Run a parser on its cases or on files as a run would, and keep nothing."""
    from casparian_flow.operations.parser.cases import TryParser

    request = TryParser(parser=parser, files=files, cases=cases, options=options_of(options))
    reply = face.ask("parser.test", request)
    face.show("casparian.parser.test/1", reply, _test_lines(reply))
    outcomes = {each.outcome for each in reply.tried}
    return FAILED if "error" in outcomes else MISMATCH if "mismatch" in outcomes else 0


def _lines(detail: ParserDetail) -> Iterator[str]:
    parser = detail.parser
    yield f"parser    {plain(parser.name)} {plain(parser.version)}, {plain(parser.status)}, {plain(parser.origin)}"
    yield f"path      {plain(parser.path)}"
    if detail.content:
        yield f"reads     {plain(detail.content)}"
    if detail.subscriptions:
        yield f"tags      subscribes to {plain(detail.subscriptions)} with priority {detail.priority}"
    yield f"jobs      {parser.jobs:,}"
    if parser.failures:
        yield f"failures  {parser.failures:,} one after another"
    if parser.paused:
        yield f"paused    since {readable(parser.paused, Kind.TIME)}; its jobs are refused"
    for each in detail.failed:
        yield f"failed    job {each.job} {plain(each.path)}: {plain(each.error)} {plain(each.message)}"
    if parser.error:
        yield f"error     {plain(parser.error)}"
    if parser.paused:
        yield f"next      casparian parser resume {shlex.quote(plain(parser.name))}"


@command.command("set")
@click.argument("parser", metavar="NAME")
@click.option("--table", required=True, metavar="T", help="For files that ask for this table.")
@click.option("--option", "options", multiple=True, metavar="K=V", help="An option that stands from now on.")
@click.option("--unset", multiple=True, metavar="K", help="An option that stands no more.")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the options.")
@pass_face
def set_(face: Face, parser: str, table: str, options: tuple[str, ...], unset: tuple[str, ...], reason: str) -> None:
    """Let options of a parser stand for a table, in every later run; without any, show those that stand."""
    from casparian_flow.operations.parser.options import SetOptions

    request = SetOptions(parser=parser, table=table, options=options_of(options), unset=unset, reason=reason)
    reply = face.ask("parser.set", request)
    face.show("casparian.parser.options/1", reply, _options_lines(reply))


def _options_lines(reply: StandingOptions) -> Iterator[str]:
    table = plain(reply.table)
    if not reply.options:
        yield f"no option stands for {plain(reply.parser)} and {table}"
    for name, value in sorted(reply.options.items()):
        yield f"option    {plain(name)}={plain(value)}"
    if reply.is_changed and reply.files:
        files = "1 file" if reply.files == 1 else f"{reply.files:,} files"
        yield f"the next run reads {files} of {table} again"


def _resumed_lines(reply: ParserResumed) -> Iterator[str]:
    name = plain(reply.parser)
    if not reply.versions:
        yield f"{name} was not paused"
        return
    yield f"{name} {plain(reply.versions)} runs again; {reply.refused:,} jobs were refused while it was paused"
    if reply.refused:
        yield "next      casparian jobs retry --where error=parser-paused"


def _check_lines(reply: ParserCheck) -> Iterator[str]:
    yield f"path      {plain(reply.path)}"
    if reply.name is not None:
        yield f"parser    {plain(reply.name)} {plain(reply.version)}, entered by {plain(reply.entry)}"
    for name, values in (
        ("reads", reply.content),
        ("outputs", reply.outputs),
        ("requires", reply.requires),
        ("imports", reply.imports),
    ):
        yield f"{name:<9} {plain(values) or 'nothing declared' if name != 'imports' else plain(values) or 'nothing'}"
    for finding in reply.findings:
        yield f"{finding.grade:<9} {plain(finding.file)}:{finding.line} {plain(finding.text)}"
    if reply.error:
        yield f"error     {plain(reply.error)}"
    verdict = "refused" if reply.is_refused else "no parser" if reply.error else "nothing is refused"
    yield f"verdict   {verdict} ({plain(reply.notice)})"
    if verdict == "nothing is refused":
        yield f"next      casparian parser test {shlex.quote(plain(reply.path))} -i FILE"


def _test_lines(reply: ParserTest) -> Iterator[str]:
    for tried in reply.tried:
        rows = ", ".join(f"{count:,} rows of {plain(output)}" for output, count in tried.rows.items()) or "no rows"
        rejected = sum(tried.rejected.values())
        yield f"{tried.outcome:<9} {plain(tried.name)}: {rows}" + (f", {rejected:,} rejected" if rejected else "")
        if tried.outcome != "passed":
            yield from (f"          {plain(name)} is {plain(value)}" for name, value in tried.verdicts.items() if value)
        yield from (f"        - {plain(record)}" for record in tried.missing)
        yield from (f"        + {plain(record)}" for record in tried.unexpected)
        yield from (f"        {plain(record)}" for record in tried.rereads)
        yield from (f"        > {plain(line)}" for line in tried.printed)
        if tried.error:
            yield f"          {plain(tried.error)}"
    if any(tried.missing or tried.unexpected for tried in reply.tried):
        yield "          - was expected and is missing, + was not expected"
    if any(tried.rereads for tried in reply.tried):
        yield "          [row, start, end, record]: - is only in the whole file, + only in its bytes alone"
    passed = sum(tried.outcome in ("passed", "read") for tried in reply.tried)
    yield f"{passed} of {len(reply.tried)} read as they should"


@command.command("propose")
@click.argument("parser", metavar="NAME")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the proposal.")
@click.option("--backtest", metavar="ID", help="What it was tried in, such as B-4.")
@pass_face
def propose(face: Face, parser: str, reason: str, backtest: str | None) -> None:
    """Ask that a parser among the plugins may run by itself; persons approve exactly what lies there now."""
    from casparian_flow.operations.parser.proposal import ProposeParser

    reply = face.ask("parser.propose", ProposeParser(parser=parser, reason=reason, backtest=backtest))
    face.show("casparian.proposal/1", reply, proposal_lines(face, reply))
