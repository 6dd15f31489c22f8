"""What a command has in hand: the options, the home, the operations to ask, and where the answer goes."""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.options import (
    ACCESSIBLE_VARIABLE,
    Options,
    Session,
    is_set,
    shared_options,
    shared_options_but_format,
    shared_options_but_set,
)
from casparian_flow.clients.cli.render import Column, Paper, is_utf8, write_list, write_record
from casparian_flow.core.errors import ConfigError, LeftRunning, UsageError
from casparian_flow.core.text import safe_text

if TYPE_CHECKING:
    from casparian_flow.clients.control import Control
    from casparian_flow.clients.remote.control import RemoteControl
    from casparian_flow.clients.remote.endpoint import Endpoint
    from casparian_flow.operations.context import Report
    from casparian_flow.operations.doing.run.spare import Spare
    from casparian_flow.operations.local import Local
    from casparian_flow.operations.registry import Operation, Request
    from casparian_flow.settings import Home, Settings

PAGED = frozenset({"show", "help", "explain"})
"""Commands whose long texts are shown page by page on a terminal."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A short list as its own only page."""

    items: Sequence[Any]
    next_cursor: str | None = None


class Face:
    """One command's view of the world. What it imports, it imports when a command first needs it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.options: Options = session.options
        self._open_control = session.open_control
        self.cwd = Path.cwd()
        self.spare: Spare | None = None

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
        return self.load_settings()

    def load_settings(self) -> Settings:
        """The settings as they stand now; raises ConfigError."""
        from casparian_flow.settings import load

        return load(self.home, os.environ, self.options.set, case=self.local.case)[0]

    @cached_property
    def control(self) -> Control | RemoteControl:
        """The door to the home's operations."""
        if self._open_control is not None:
            given: Control = self._open_control(self.home, self.settings, self.cwd)
            return given
        if self.sentinel is not None:
            from casparian_flow.clients.remote.control import RemoteControl

            return RemoteControl(self.sentinel, self.cwd, seconds=self.options.timeout)
        return self._control_here

    @property
    def runs_jobs(self) -> bool:
        """Whether this command runs jobs itself: the workers of a sentinel have their own."""
        return self._open_control is None and self.sentinel is None

    @cached_property
    def sentinel(self) -> Endpoint | None:
        """The sentinel that this command asks; None where it does its work itself."""
        from casparian_flow.clients.cli.door import sentinel_for

        return sentinel_for(self.options, self.home, os.environ)

    @cached_property
    def _control_here(self) -> Control:
        from functools import partial

        from casparian_flow.clients.control import Control
        from casparian_flow.operations.doing.reading import open_reading

        return Control(partial(open_reading, self.home, self.settings, self.cwd), self._open_acting)

    def _open_acting(self, report: Report) -> AbstractContextManager[Any]:
        from casparian_flow.wiring import open_acting

        def told(event: str, values: dict[str, object]) -> None:
            if event == "home.awaited":
                self.note(f"waiting: {safe_text(str(values['holder']))}")
            if event in ("lineage.failed", "purge.failed"):
                self.note(f"{safe_text(str(values['message']))}: {safe_text(str(values['why']))}")
            report(event, values)

        if self.spare is not None:  # else it may be that nothing needs pyarrow
            from casparian_flow.guest.pandas_import import forgo_pandas

            forgo_pandas()
        waited = self.wait_seconds
        return open_acting(self.home, self.settings, self.cwd, told, wait_seconds=waited, spare=self.spare)

    @property
    def wait_seconds(self) -> float:
        """How long to wait while another process holds the home."""
        if not self.options.wait:
            return 0.0
        return float("inf") if self.options.timeout is None else self.options.timeout

    def ask(self, name: str, request: Request, report: Report | None = None) -> Any:
        """The operation's reply; its errors pass through."""
        from casparian_flow.clients.control import unheard
        from casparian_flow.operations.index import find
        from casparian_flow.operations.registry import Effect

        operation = find(name)
        if not operation.is_local and self._is_tried(operation):
            return self.control.attempt(name, request)
        try:
            if operation.is_local:
                reply = operation.function(self.local, request)
            else:
                reply = self._control_for(operation, request).ask(name, request, self._logged(report or unheard))
        except KeyboardInterrupt as exc:
            if self.sentinel is None or operation.effect is Effect.READ:
                raise
            raise LeftRunning(
                "you stopped watching; the sentinel goes on with what you asked for",
                where=self.sentinel.name,
                why="to stop it too: casparian jobs cancel JOB",
                fix="casparian jobs --state running",
            ) from exc
        if operation.effect is not Effect.READ:
            self._session.done = name
        return reply

    def _control_for(self, operation: Operation[Any, Any], request: Request) -> Control | RemoteControl:
        """The door; a file that is asked for is written by this process, as whoever asks and where they stand."""
        if self.sentinel is None or not any(getattr(request, field) for field in operation.writes):
            return self.control
        if self.sentinel.is_here:
            return self._control_here
        raise UsageError(
            "a file would be written on the machine of the sentinel",
            where=self.sentinel.name,
            why="this command asks a sentinel on another machine",
            fix="run the command there, or ask for rows: casparian sql … --format csv",
        )

    def _is_tried(self, operation: Operation[Any, Any]) -> bool:
        return self.options.dry_run and operation.may_be_tried

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
    def is_accessible(self) -> bool:
        """Whether the person reads with a tool that redrawn lines and drawn shapes confuse."""
        if is_set(os.environ, ACCESSIBLE_VARIABLE):
            return True
        if not (sys.stdout.isatty() or sys.stderr.isatty()):
            return False  # what a pipe gets is plain anyway, and asking the settings takes time
        try:
            return self.settings.ui.accessible
        except ConfigError:
            return False  # the commands that mend a broken setting must be able to speak

    @cached_property
    def paper(self) -> Paper:
        """Standard output, as it was asked to look."""
        is_terminal = sys.stdout.isatty()
        format_ = "json" if self.options.agent else self.options.format
        if format_ == "auto":
            format_ = "table" if is_terminal else "plain"
        is_plain = self.options.agent or self.is_accessible
        return Paper(
            stream=sys.stdout,
            format=format_,
            width=shutil.get_terminal_size().columns if is_terminal and not is_plain else None,
            color=not is_plain and wants_color(self.options.color, is_terminal=is_terminal, env=os.environ),
            fields=self.options.fields,
            is_ascii=is_plain or not is_utf8(sys.stdout),
            is_csv_safe=self.options.csv_safe,
            is_agent=self.options.agent,
        )

    @property
    def limit(self) -> int | None:
        """How many items a list shows; None is all of them."""
        if self.options.agent:
            from casparian_flow.manual.topics import AGENT_ROWS

            return min(self.options.limit or AGENT_ROWS, AGENT_ROWS)
        if self.options.all:
            return None
        if self.options.limit is not None:
            return self.options.limit
        return self.settings.ui.limit if sys.stdout.isatty() else None

    @property
    def summary_limit(self) -> int | None:
        """How many items of a list an answer shows that is no list: as many in a pipe, unless all are asked for."""
        return self.limit if self.options.all else self.limit or self.settings.ui.limit

    def show_list(
        self,
        schema: str,
        key: str,
        items: Sequence[Any],
        columns: Sequence[Column],
        item: type,
        next: Callable[[Mapping[str, Any]], Sequence[str]] | None = None,
    ) -> Sequence[str]:
        """Show a list that is there as a whole.

        `next` gives the commands that make sense after the first of the items that are shown: they are answered, and a
        program finds them beside the items.
        """
        commands: list[str] = []
        beside = {} if next is None else {"next": commands}

        def noted(shown: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
            for place, each in enumerate(shown):
                if next is not None and place == 0:
                    commands.extend(next(each))
                yield each

        self._show_items(schema, key, columns, item, "items", lambda _limit, _after: Whole(items), beside, noted)
        return commands

    def show_pages(
        self,
        schema: str,
        key: str,
        columns: Sequence[Column],
        item: type,
        ask: Callable[[int, str | None], Any],
    ) -> None:
        """Show a list of any length; `ask` gives the page of at most so many items after a cursor."""
        self._show_items(schema, key, columns, item, key, ask)

    def _show_items(
        self,
        schema: str,
        key: str,
        columns: Sequence[Column],
        item: type,
        attribute: str,
        ask: Callable[[int, str | None], Any],
        beside: Mapping[str, Any] | None = None,
        noted: Callable[[Iterable[Mapping[str, Any]]], Iterable[Mapping[str, Any]]] = iter,
    ) -> None:
        from casparian_flow.clients.cli.lists import choose, order, read_wish

        options = self.options
        rest: dict[str, Any] = {"next_cursor": None, **(beside or {})}
        names = item.__struct_fields__  # type: ignore[attr-defined]
        wish = read_wish(options.where, options.sort, options.cursor, self.limit, names)
        # The first page is asked for before anything is written, so that an error stands alone.
        first = ask(wish.page, wish.after)
        found = (choose if wish.field is None else order)(wish, attribute, first, ask, rest)
        write_list(self.paper, schema, key, noted(found), columns, names, rest)
        if rest["next_cursor"] is not None:
            self.note(f"this list was cut; --all shows every one, --cursor {safe_text(rest['next_cursor'])} goes on")

    def show_rows(
        self, schema: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], *, is_cut: bool = False
    ) -> None:
        """Show rows whose columns are only known now."""
        self._only_for_lists("a query says so itself: WHERE, ORDER BY, LIMIT")
        rest = {"is_cut": is_cut}
        write_list(self.paper, schema, "rows", rows, columns, [column.name for column in columns], rest)

    def show(self, schema: str, reply: Any, lines: Iterable[str], *, is_plain: bool = False) -> None:
        """Show one thing. `lines` are for a person and must be inert already.

        They are what a pipe or a file gets too, unless a format was asked for: people keep such notes. With
        `is_plain` they also are what the format `plain` gives.
        """
        from msgspec import to_builtins

        self._only_for_lists("this is no list")
        is_for_people = is_plain or self.options.format == "auto"
        record = to_builtins(reply)
        if self.options.dry_run:
            record["is_dry_run"] = True
            lines = ["nothing was changed; without --dry-run:", *lines]
        with self._pager() as paper:
            write_record(paper, schema, record, lines, is_plain=is_for_people)

    def show_text(self, lines: Iterable[str]) -> None:
        """Show a text that is made for people in every format, and inert already."""
        with self._pager() as paper:
            for line in lines:
                paper.line(line)

    @contextmanager
    def _pager(self) -> Iterator[Paper]:
        """The paper, or on a terminal one that is shown page by page if it became longer than the screen."""
        command = click.get_current_context(silent=True)
        if not (
            command is not None
            and command.info_name in PAGED
            and sys.stdout.isatty()
            and self.options.pager
            and self.paper.format in ("table", "plain")
            and not self.is_accessible
            and os.environ.get("TERM") != "dumb"
        ):
            yield self.paper
            return
        page = io.StringIO()
        yield replace(self.paper, stream=page)
        if page.getvalue().count("\n") < shutil.get_terminal_size().lines:
            sys.stdout.write(page.getvalue())
        else:
            click.echo_via_pager(page.getvalue(), color=self.paper.color)

    def _only_for_lists(self, why: str) -> None:
        """Say that an option has no effect here, since the work is done and its answer is worth showing."""
        given = {"--where": self.options.where, "--sort": self.options.sort, "--cursor": self.options.cursor}
        for option in (name for name, value in given.items() if value):
            self.note(f"{option} has no effect: {why}")

    def note(self, text: str) -> None:
        """Tell the person something beside the answer."""
        if not (self.options.quiet or self.options.agent):
            click.echo(text, err=True)

    def confirm(self, plan: str, word: str) -> None:
        """Go on only if the person types the word or gave `--yes`; without a terminal it never waits.

        What is only tried needs no confirmation.
        """
        if self.options.yes or self.options.dry_run:
            return
        if self.options.agent or not (sys.stdin and sys.stdin.isatty()):
            raise UsageError(
                "this must be confirmed, and nobody is at a terminal", why="; ".join(plan.splitlines()), fix="--yes"
            )
        click.echo(plan, err=True)
        if (typed := click.prompt(f"type {word} to go on", err=True, default="", show_default=False)) != word:
            raise UsageError("nothing was changed", why=f"{typed!r} is not {word!r}", fix="--yes")


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


def pass_face_to_setter(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `pass_face`, for a command whose `--set` sets values of a row."""
    return shared_options_but_set(_with_face(function))


def _with_face(function: Callable[..., Any]) -> Callable[..., Any]:
    @click.pass_context
    def with_face(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        session = ctx.find_object(Session)
        assert session is not None
        return function(Face(session), *args, **kwargs)

    return update_wrapper(with_face, function)
