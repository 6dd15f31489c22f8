"""`casparian config`: settings, and where each value comes from."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, plain

COLUMNS = (Column("key"), Column("value"))
WITH_ORIGIN = (*COLUMNS, Column("origin"))


@click.group("config", cls=Noun, default_verb="show")
@shared_options
def command() -> None:
    """Settings, and where each value comes from."""


@command.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@pass_face
def show(face: Face, origin: bool) -> None:
    """Every setting and its value."""
    from casparian_flow.operations.home.config import Setting, ShowConfig

    reply = face.ask("config.show", ShowConfig())
    face.show_list("casparian.config/1", "settings", reply.settings, WITH_ORIGIN if origin else COLUMNS, Setting)


@command.command("get")
@click.argument("key")
@pass_face
def get(face: Face, key: str) -> None:
    """The value of one setting."""
    from casparian_flow.operations.home.config import GetSetting

    reply = face.ask("config.get", GetSetting(key=key))
    face.show("casparian.setting/1", reply, [plain(reply.value)], is_plain=True)


@command.command("set")
@click.argument("key")
@click.argument("value")
@pass_face
def set_(face: Face, key: str, value: str) -> None:
    """Write one setting into the home's config file."""
    from casparian_flow.operations.home.config import SetSetting

    reply = face.ask("config.set", SetSetting(key=key, value=value))
    face.show("casparian.setting/1", reply, [f"{reply.key} = {plain(reply.value)} in {plain(reply.origin)}"])


@command.command("unset")
@click.argument("key")
@pass_face
def unset(face: Face, key: str) -> None:
    """Take one setting out of the home's config file."""
    from casparian_flow.operations.home.config import UnsetSetting

    reply = face.ask("config.unset", UnsetSetting(key=key))
    face.show("casparian.setting/1", reply, [f"{reply.key} is now {plain(reply.value)} ({plain(reply.origin)})"])


@command.command("path")
@pass_face
def path(face: Face) -> None:
    """Where the home and its config file are."""
    from casparian_flow.operations.home.config import LocateConfig

    reply = face.ask("config.path", LocateConfig())
    face.show("casparian.config.path/1", reply, [plain(reply.config)], is_plain=True)


@command.command("check")
@pass_face
def check(face: Face) -> int:
    """Look at every place that settings come from; ends with 2 when something is wrong."""
    from casparian_flow.operations.home.config import CheckConfig

    reply = face.ask("config.check", CheckConfig())
    lines = [f"{plain(each.where)}: {plain(each.found)} {plain(each.why)}".rstrip() for each in reply.findings]
    face.show("casparian.config.check/1", reply, lines or ["all settings are sound"])
    return 0 if reply.is_sound else 2


@command.command("import")
@click.argument("file")
@pass_face
def import_(face: Face, file: str) -> None:
    """Take settings from FILE, also from the global_config.toml of an earlier design."""
    from casparian_flow.operations.home.config import ImportConfig

    reply = face.ask("config.import", ImportConfig(file=file))
    taken = [f"taken  {plain(each.key)} = {plain(each.value)}" for each in reply.taken]
    left = [f"left   {plain(each.key)}: {plain(each.why)}" for each in reply.left]
    face.show("casparian.config.import/1", reply, [*taken, *left] or ["the file holds no settings"])


@command.command("schema")
@pass_face
def schema(face: Face) -> None:
    """The JSON Schema of a config file, for editors."""
    import json

    from casparian_flow.operations.home.config import DescribeConfig

    reply = face.ask("config.schema", DescribeConfig())
    face.show("casparian.config.schema/1", reply, json.dumps(reply.body, indent=2).splitlines(), is_plain=True)
