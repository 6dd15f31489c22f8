"""Groups of commands that are imported only when asked for, and that suggest the word that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

HELP = ("-h", "--help")


class UnknownWord(click.UsageError):
    """A word that names no command."""

    def __init__(self, word: str, known: Iterable[str], ctx: click.Context) -> None:
        super().__init__(f"there is no command {word!r}", ctx)
        close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
        self.suggestion = f"{ctx.command_path} {close[0]}" if close else f"{ctx.command_path} --help"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the root's list: where a command lives and what `--help` says about it."""

    name: str
    section: str
    summary: str
    also: tuple[str, ...] = ()
    """Other names it answers to: singular or plural, aliases."""


class LazyGroup(click.Group):
    """The root: knows its commands by a list, and imports `commands.<name>` when one is used."""

    def __init__(self, *args: Any, entries: tuple[Entry, ...], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = entries
        self._package = package
        self._names = {word: entry.name for entry in entries for word in (entry.name, *entry.also)}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the list."""
        return [entry.name for entry in self.entries]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name or alias, imported now."""
        if cmd_name not in self._names:
            return None
        name = self._names[cmd_name]
        command: click.Command = import_module(f"{self._package}.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; raises UnknownWord with a suggestion."""
        if args[0] not in self._names:
            raise UnknownWord(args[0], self._names, ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The names that begin so, without importing one."""
        if incomplete and not incomplete[0].isalnum():
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(each.name, help=each.summary) for each in self.entries if each.name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, without importing one."""
        width = max(len(entry.name) for entry in self.entries)
        for section in dict.fromkeys(entry.section for entry in self.entries):
            with formatter.section(section):
                formatter.write_dl(
                    [(entry.name.ljust(width), entry.summary) for entry in self.entries if entry.section == section]
                )


class Noun(click.Group):
    """A noun and its verbs. Without a verb it lists: `files --tag x` is `files list --tag x`.

    With a `subject_verb` any other word or option is for that one: `backtest csv --on x` is `backtest run csv --on x`.
    """

    def __init__(self, *args: Any, default_verb: str = "list", subject_verb: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default_verb = default_verb
        self.subject_verb = subject_verb

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with the verb that is meant put first when none is named."""
        is_being_typed = ctx.resilient_parsing and not args
        word = self._first_word(args)
        if self.subject_verb is not None and word not in (None, *HELP, *self.commands):
            args = [self.subject_verb, *args]
        elif not is_being_typed and not self._names_a_verb(args):
            args = [self.default_verb, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The verbs, and for an option also those of the default verb."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            verb = self.commands[self.default_verb]
            inner = click.Context(verb, parent=ctx, info_name=verb.name, resilient_parsing=True)
            known = {item.value for item in found}
            found += [item for item in verb.shell_complete(inner, incomplete) if item.value not in known]
        return found

    def _names_a_verb(self, args: list[str]) -> bool:
        word = self._first_word(args)
        return word is not None and (not word.startswith("-") or word in HELP)

    def _first_word(self, args: list[str]) -> str | None:
        """The first word that is no option of every command: a verb, a subject, or an option that only a verb has."""
        takes_value = {
            name: not (option.is_flag or option.count)
            for option in self.params
            if isinstance(option, click.Option)
            for name in option.opts
        }
        at = 0
        while at < len(args):
            word, equals, _ = args[at].partition("=")
            if not word.startswith("-") or word not in takes_value:
                return args[at] if not word.startswith("-") else word
            at += 2 if takes_value[word] and not equals else 1
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the first word names; raises UnknownWord with a suggestion."""
        if args[0] not in self.commands:
            raise UnknownWord(args[0], self.commands, ctx)
        return super().resolve_command(ctx, args)
