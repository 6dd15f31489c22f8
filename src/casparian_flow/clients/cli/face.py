"""What a command has in hand: the options, the home, the operations to ask, and where the answer goes."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.options import Options, Session, shared_options, shared_options_but_format
from casparian_flow.clients.cli.render import Column, Paper, write_list, write_record
from casparian_flow.core.errors import UsageError

if TYPE_CHECKING:
    from casparian_flow.clients.control import Control
    from casparian_flow.operations.context import Report
    from casparian_flow.operations.local import Local
    from casparian_flow.operations.registry import Request
    from casparian_flow.settings import Home, Settings

PAGE = 2000
"""Items asked for at once, so that a list of any length takes little memory."""


class Face:
    """One command's view of the world. What it imports, it imports when a command first needs it."""

    def __init__(self, session: Session) -> None:
        self.options: Options = session.options
        self._open_control = session.open_control
        self.cwd = Path.cwd()

    @cached_property
    def local(self) -> Local:
        """The place and the settings as given, nothing opened yet."""
        from casparian_flow.operations.local import Local
        from casparian_flow.settings import find_case, find_home

        return Local(
            home=find_home(self.options.home, os.environ, self.cwd, case=self.options.case),
            case=find_case(self.cwd),
            env=os.environ,
            overrides=self.options.set,
            cwd=self.cwd,
            now_ns=time.time_ns(),
        )

    @property
    def home(self) -> Home:
        """The home that this command is about."""
        return self.local.home

    @cached_property
    def settings(self) -> Settings:
        """The settings in force."""
        from casparian_flow.settings import load

        return load(self.home, os.environ, self.options.set, case=self.local.case)[0]

    @cached_property
    def control(self) -> Control:
        """The door to the home's operations."""
        if self._open_control is not None:
            given: Control = self._open_control(self.home, self.settings, self.cwd)
            return given
        from functools import partial

        from casparian_flow.clients.control import Control
        from casparian_flow.operations.reading import open_reading

        return Control(partial(open_reading, self.home, self.settings, self.cwd), self._open_acting)

    def _open_acting(self, report: Report) -> AbstractContextManager[Any]:
        from casparian_flow.guest.pandas_import import forgo_pandas
        from casparian_flow.wiring import open_acting

        forgo_pandas()
        return open_acting(self.home, self.settings, self.cwd, report)

    def ask(self, name: str, request: Request, report: Report | None = None) -> Any:
        """The operation's reply; its errors pass through."""
        from casparian_flow.clients.control import unheard
        from casparian_flow.operations.index import find

        operation = find(name)
        if operation.is_local:
            return operation.function(self.local, request)
        return self.control.ask(name, request, self._logged(report or unheard))

    def _logged(self, report: Report) -> Report:
        """The report, and with `-v` a log line for each of its events."""
        if not self.options.verbose:
            return report
        from casparian_flow import logs

        logs.set_up(sys.stderr, self.options.verbose)
        log = logs.get_log(__name__)

        def say(event: str, values: dict[str, object]) -> None:
            (log.debug if event.endswith(".progressed") else log.info)(event, **values)
            report(event, values)

        return say

    # --- showing ----------------------------------------------------------------------------------------------

    @cached_property
    def paper(self) -> Paper:
        """Standard output, as it was asked to look."""
        is_terminal = sys.stdout.isatty()
        format_ = self.options.format
        if format_ == "auto":
            format_ = "table" if is_terminal else "plain"
        return Paper(
            stream=sys.stdout,
            format=format_,
            width=shutil.get_terminal_size().columns if is_terminal else None,
            color=wants_color(self.options.color, is_terminal=is_terminal, env=os.environ),
            fields=self.options.fields,
        )

    @property
    def limit(self) -> int | None:
        """How many items a list shows; None is all of them."""
        if self.options.all:
            return None
        if self.options.limit is not None:
            return self.options.limit
        return self.settings.ui.limit if sys.stdout.isatty() else None

    def show_list(self, schema: str, key: str, items: Sequence[Any], columns: Sequence[Column], item: type) -> None:
        """Show a short list, cut at the limit."""
        from msgspec import to_builtins

        limit = self.limit
        shown = items if limit is None else items[:limit]
        names = item.__struct_fields__  # type: ignore[attr-defined]
        write_list(self.paper, schema, key, map(to_builtins, shown), columns, names, {})
        if len(shown) < len(items):
            self.note(f"showing {len(shown)} of {len(items)}; --all shows every one")

    def show_pages(
        self,
        schema: str,
        key: str,
        columns: Sequence[Column],
        item: type,
        ask: Callable[[int, str | None], Any],
    ) -> None:
        """Show a list of any length; `ask` gives the page of at most so many items after a cursor."""
        rest: dict[str, str | None] = {"next_cursor": None}
        names = item.__struct_fields__  # type: ignore[attr-defined]
        # The first page is asked for before anything is written, so that an error stands alone.
        first = ask(min(PAGE, self.limit or PAGE), None)
        write_list(self.paper, schema, key, self._items(key, first, ask, rest), columns, names, rest)
        if rest["next_cursor"] is not None:
            self.note(f"showing the first {self.limit}; --all shows every one")

    def _items(
        self, key: str, page: Any, ask: Callable[[int, str | None], Any], rest: dict[str, str | None]
    ) -> Iterator[Mapping[str, Any]]:
        from msgspec import to_builtins

        left = self.limit
        while True:
            yield from map(to_builtins, getattr(page, key))
            rest["next_cursor"] = page.next_cursor
            if left is not None:
                left -= len(getattr(page, key))
            if page.next_cursor is None or left == 0:
                return
            page = ask(PAGE if left is None else min(PAGE, left), page.next_cursor)

    def show_rows(self, schema: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> None:
        """Show rows whose columns are only known now."""
        write_list(self.paper, schema, "rows", rows, columns, [column.name for column in columns], {})

    def show(self, schema: str, reply: Any, lines: Iterable[str], *, is_plain: bool = False) -> None:
        """Show one thing. `lines` are for a person and must be inert already.

        They are what a pipe or a file gets too, unless a format was asked for: people keep such notes. With
        `is_plain` they also are what the format `plain` gives.
        """
        from msgspec import to_builtins

        is_for_people = is_plain or self.options.format == "auto"
        write_record(self.paper, schema, to_builtins(reply), lines, is_plain=is_for_people)

    def note(self, text: str) -> None:
        """Tell the person something beside the answer."""
        if not self.options.quiet:
            click.echo(text, err=True)

    def confirm(self, plan: str, word: str) -> None:
        """Go on only if the person types the word or gave `--yes`; without a terminal it never waits."""
        if self.options.yes:
            return
        if not (sys.stdin and sys.stdin.isatty()):
            raise UsageError(plan, why="this asks for confirmation, and nobody is at a terminal", fix="add --yes")
        click.echo(plan, err=True)
        if click.prompt(f"type {word} to go on", err=True, default="", show_default=False) != word:
            raise click.Abort


def wants_color(choice: str, *, is_terminal: bool, env: Mapping[str, str]) -> bool:
    """Whether to colour words: the option, else NO_COLOR, CLICOLOR_FORCE and TERM, else only on a terminal."""
    if choice != "auto":
        return choice == "always"
    if env.get("NO_COLOR") or env.get("TERM") == "dumb":
        return False
    return is_terminal or env.get("CLICOLOR_FORCE", "0") not in ("", "0")


def pass_face(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its face first, and the options of every command."""
    return shared_options(_with_face(function))


def pass_face_to_writer(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `pass_face`, for a command whose `--format` is that of the file it writes."""
    return shared_options_but_format(_with_face(function))


def _with_face(function: Callable[..., Any]) -> Callable[..., Any]:
    @click.pass_context
    def with_face(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        session = ctx.find_object(Session)
        assert session is not None
        return function(Face(session), *args, **kwargs)

    return update_wrapper(with_face, function)
