"""`casparian rules`: globs that tag files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import dry_run_option, shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.source.rule_effects import RuleTested
    from casparian_flow.operations.source.rule_proposals import RuleProposals
    from casparian_flow.operations.source.rules import RuleDetail

COLUMNS = (
    Column("id"),
    Column("pattern"),
    Column("tag"),
    Column("priority", Kind.COUNT),
    Column("size"),
    Column("parser"),
    Column("topic"),
    Column("files", Kind.COUNT),
)
PROPOSALS = (
    Column("pattern"),
    Column("tag"),
    Column("content"),
    Column("files", Kind.COUNT),
    Column("others", Kind.COUNT),
    Column("precision", Kind.COUNT),
    Column("examples"),
)


@click.group("rules", cls=Noun)
@shared_options
def command() -> None:
    """Globs that tag files, and may choose their parser and table."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every rule, in the order in which they are asked."""
    from casparian_flow.operations.source.rules import ListRules, RuleEntry

    reply = face.ask("rules.list", ListRules())
    face.show_list("casparian.rules/1", "rules", reply.rules, COLUMNS, RuleEntry)


@command.command("show")
@click.argument("rule", type=int)
@pass_face
def show(face: Face, rule: int) -> None:
    """One rule and some of the files that it tagged."""
    from casparian_flow.operations.source.rules import ShowRule

    reply = face.ask("rules.show", ShowRule(rule=rule))
    face.show("casparian.rule/1", reply, _lines(reply))


@command.command("add")
@click.argument("pattern")
@click.option("--tag", required=True, metavar="T", help="The tag that it gives.")
@click.option("--priority", type=int, default=50, show_default=True, metavar="N", help="Higher ones are asked first.")
@click.option("--parser", metavar="P", help="The parser that reads these files.")
@click.option("--topic", metavar="T", help="The table that they belong to.")
@click.option("--size", metavar="EXPR", help="Only files of such a size: '>1MB', '<=10k', '>=1k,<1M'.")
@dry_run_option
@pass_face
def add(face: Face, **wanted: Any) -> None:
    """Tag every file whose path matches PATTERN, now and at later scans."""
    from casparian_flow.operations.source.rules import AddRule

    reply = face.ask("rules.add", AddRule(**wanted))
    face.show("casparian.rule/1", reply, _lines(reply))


@command.command("remove")
@click.argument("rule", type=int)
@dry_run_option
@pass_face
def remove(face: Face, rule: int) -> None:
    """Forget a rule, and take back the tags that it gave."""
    from casparian_flow.operations.source.rules import RemoveRule, ShowRule

    found = face.ask("rules.show", ShowRule(rule=rule)).rule
    face.confirm(f"rule {found.id} ({plain(found.pattern)}) tags {found.files:,} files", plain(found.tag))
    reply = face.ask("rules.remove", RemoveRule(rule=rule))
    face.show("casparian.rule.removed/1", reply, [f"rule {reply.rule} is gone, {reply.files:,} tags with it"])


@command.command("test")
@click.argument("rule", metavar="RULE|GLOB")
@click.argument("path", required=False)
@click.option("--size", metavar="S", help="The size to test, where PATH is no known file.")
@pass_face
def test(face: Face, rule: str, path: str | None, size: str | None) -> None:
    """Whether a rule, or a glob that is none yet, fits PATH and why; without PATH, the known files that it fits."""
    from casparian_flow.operations.source.rule_effects import TestRule

    reply = face.ask("rules.test", TestRule(rule=rule, path=path, size=size))
    face.show("casparian.rule.test/1", reply, _test_lines(reply))


@command.command("apply")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@pass_face
def apply(face: Face, dry_run: bool) -> None:
    """Apply every rule to every known file again; tags that a person gave stay."""
    from casparian_flow.operations.source.rule_effects import ApplyRules

    reply = face.ask("rules.apply", ApplyRules(dry_run=dry_run))
    would = "would be " if reply.is_dry_run else ""
    lines = [
        f"files     {reply.files:,}",
        f"tags      {reply.given:,} {would}given, {reply.taken:,} {would}taken",
        *(f"          {plain(change)}" for change in reply.sample),
    ]
    face.show("casparian.rules.applied/1", reply, lines)


@command.command("propose")
@click.option("--from", "files", multiple=True, metavar="FILES", help="Cover these: a path or a glob; repeatable.")
@pass_face
def propose(face: Face, files: tuple[str, ...]) -> None:
    """Globs for files without a tag, by name, folder and content. Nothing is added; `rules add` does that."""
    from casparian_flow.operations.source.rule_proposals import ProposeRules

    reply = face.ask("rules.propose", ProposeRules(files=files))
    face.show("casparian.rules.proposed/1", reply, _proposal_lines(face, reply))


def _proposal_lines(face: Face, reply: RuleProposals) -> Iterator[str]:
    from msgspec import to_builtins

    yield f"{reply.untagged:,} files have no tag; {len(reply.proposals)} rules could tag them"
    if reply.proposals:
        yield ""
        yield from table_lines(map(to_builtins, reply.proposals), PROPOSALS, face.paper)
        yield ""
    yield from (f"{plain(each.command)}" for each in reply.proposals if each.command)


def _test_lines(reply: RuleTested) -> Iterator[str]:
    tag = f" -> {plain(reply.tag)}" if reply.tag else ""
    yield f"rule      {plain(reply.pattern)}{tag}"
    if reply.matches is not None:
        yield f"matches   {'yes' if reply.matches else 'no'}"
    yield from (f"why       {plain(step)}" for step in reply.why)
    yield from (f"also      {plain(other)}" for other in reply.others)
    yield f"files     {reply.files:,} known files fit"
    if reply.matches is None:
        yield from (f"          {plain(path)}" for path in reply.sample)


def _lines(detail: RuleDetail) -> Iterator[str]:
    rule = detail.rule
    yield f"rule      {rule.id}: {plain(rule.pattern)} -> {plain(rule.tag)}"
    yield f"priority  {rule.priority}"
    for name, value in (("size", rule.size), ("parser", rule.parser), ("topic", rule.topic)):
        if value:
            yield f"{name:<9} {plain(value)}"
    yield f"files     {rule.files:,}"
    for path in detail.sample:
        yield f"          {plain(path)}"
