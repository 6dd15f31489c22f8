"""`casparian rules`: globs that tag files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain

if TYPE_CHECKING:
    from casparian_flow.operations.rules import RuleDetail

COLUMNS = (
    Column("id"),
    Column("pattern"),
    Column("tag"),
    Column("priority", Kind.COUNT),
    Column("parser"),
    Column("topic"),
    Column("files", Kind.COUNT),
)


@click.group("rules", cls=Noun)
@shared_options
def command() -> None:
    """Globs that tag files, and may choose their parser and table."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every rule, in the order in which they are asked."""
    from casparian_flow.operations.rules import ListRules, RuleEntry

    reply = face.ask("rules.list", ListRules())
    face.show_list("casparian.rules/1", "rules", reply.rules, COLUMNS, RuleEntry)


@command.command("show")
@click.argument("rule", type=int)
@pass_face
def show(face: Face, rule: int) -> None:
    """One rule and some of the files that it tagged."""
    from casparian_flow.operations.rules import ShowRule

    reply = face.ask("rules.show", ShowRule(rule=rule))
    face.show("casparian.rule/1", reply, _lines(reply))


@command.command("add")
@click.argument("pattern")
@click.option("--tag", required=True, metavar="T", help="The tag that it gives.")
@click.option("--priority", type=int, default=50, show_default=True, metavar="N", help="Higher ones are asked first.")
@click.option("--parser", metavar="P", help="The parser that reads these files.")
@click.option("--topic", metavar="T", help="The table that they belong to.")
@pass_face
def add(face: Face, **wanted: Any) -> None:
    """Tag every file whose path matches PATTERN, now and at later scans."""
    from casparian_flow.operations.rules import AddRule

    reply = face.ask("rules.add", AddRule(**wanted))
    face.show("casparian.rule/1", reply, _lines(reply))


@command.command("remove")
@click.argument("rule", type=int)
@pass_face
def remove(face: Face, rule: int) -> None:
    """Forget a rule, and take back the tags that it gave."""
    from casparian_flow.operations.rules import RemoveRule, ShowRule

    found = face.ask("rules.show", ShowRule(rule=rule)).rule
    face.confirm(f"rule {found.id} ({plain(found.pattern)}) tags {found.files:,} files", plain(found.tag))
    reply = face.ask("rules.remove", RemoveRule(rule=rule))
    face.show("casparian.rule.removed/1", reply, [f"rule {reply.rule} is gone, {reply.files:,} tags with it"])


def _lines(detail: RuleDetail) -> Iterator[str]:
    rule = detail.rule
    yield f"rule      {rule.id}: {plain(rule.pattern)} -> {plain(rule.tag)}"
    yield f"priority  {rule.priority}"
    for name, value in (("parser", rule.parser), ("topic", rule.topic)):
        if value:
            yield f"{name:<9} {plain(value)}"
    yield f"files     {rule.files:,}"
    for path in detail.sample:
        yield f"          {plain(path)}"
