"""Writes the man page of a command from the tree of commands."""

from __future__ import annotations

from collections.abc import Iterator

import click

from casparian_flow.clients.cli.nouns import LazyGroup
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.core.errors import EXIT_CODES


@click.command("shared")
@shared_options
def _shared() -> None:
    """Has the options of every command, and nothing else."""


def page(context: click.Context) -> str:
    """The page as roff: one for the product, or one for a command with all its verbs."""
    return "\n".join(_lines(context)) + "\n"


def page_name(context: click.Context) -> str:
    """The name of the page: `casparian`, `casparian-run`."""
    return context.command_path.replace(" ", "-")


def _lines(context: click.Context) -> Iterator[str]:
    name = page_name(context)
    command = context.command
    yield f'.TH "{_text(name.upper())}" "1" "" "Casparian Flow" "Casparian Flow"'
    yield ".SH NAME"
    yield f"{_text(name)} \\- {_text(_sentence(command.help))}"
    yield ".SH SYNOPSIS"
    yield f".B {_text(context.command_path)}"
    yield _text(" ".join(command.collect_usage_pieces(context)))
    yield ".SH DESCRIPTION"
    yield _text(" ".join((command.help or "").split()))
    yield from _options(command)
    if isinstance(command, LazyGroup):
        yield ".SH COMMANDS"
        for entry in command.entries:
            yield ".TP"
            yield f".BR casparian\\-{_text(entry.name)} (1)"
            yield _text(entry.summary)
        yield ".SH GLOBAL OPTIONS"
        for option in _shared.params:
            yield from _option(option)
        yield ".SH EXIT STATUS"
        for code, says in EXIT_CODES.items():
            yield ".TP"
            yield f".B {code}"
            yield _text(says)
    elif isinstance(command, click.Group):
        yield ".SH VERBS"
        for verb_name, verb in sorted(command.commands.items()):
            yield ".SS " + _text(verb_name)
            inner = click.Context(verb, parent=context, info_name=verb_name)
            yield f".B {_text(inner.command_path)}"
            yield _text(" ".join(verb.collect_usage_pieces(inner)))
            yield ".PP"
            yield _text(" ".join((verb.help or "").split()))
            yield from _options(verb, heading="")
    yield ".SH SEE ALSO"
    yield ".BR casparian (1),"
    yield "casparian help, casparian explain"


def _options(command: click.Command, heading: str = ".SH OPTIONS") -> Iterator[str]:
    """The options of its own; those of every command are in casparian(1)."""
    shared = {each.name for each in _shared.params}
    options = [each for each in command.params if isinstance(each, click.Option)]
    own = [each for each in options if each.expose_value or each.name not in shared]
    if own and heading:
        yield heading
    for option in own:
        yield from _option(option)


def _option(option: click.Parameter) -> Iterator[str]:
    assert isinstance(option, click.Option)
    is_flag = option.is_flag or option.count
    value = "" if is_flag else f" {option.make_metavar(click.Context(_shared))}"
    yield ".TP"
    yield f".B {_text(', '.join((*option.opts, *option.secondary_opts)) + value)}"
    yield _text(" ".join((option.help or "").split()))


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).rstrip(".")


def _text(text: str) -> str:
    """The text with nothing left that roff would act on."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
