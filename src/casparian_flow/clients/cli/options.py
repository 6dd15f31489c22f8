"""The options that every command takes, before its name or after it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from casparian_flow.core.errors import INSTEAD, UsageError

FORMATS = ("auto", "table", "plain", "json", "jsonl", "csv", "md")

LISTED = frozenset({"null"})
"""Options of parsers that take several words, with commas between them."""

AGENT_VARIABLE = "CASPARIAN_AGENT"
ACCESSIBLE_VARIABLE = "ACCESSIBLE"

OWN_SECTION = "ui."
"""Settings of whoever asks; all others are those of the work itself."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(slots=True)
class Options:
    """What was asked for on the whole command line; the later of two wins."""

    home: Path | None = None
    case: str | None = None
    set: dict[str, str] = field(default_factory=dict)
    format: str = "auto"
    fields: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    sort: str | None = None
    limit: int | None = None
    cursor: str | None = None
    all: bool = False
    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    color: str = "auto"
    progress: str = "auto"
    pager: bool = True
    csv_safe: bool = False
    agent: bool = False
    wait: bool = False
    timeout: float | None = None
    yes: bool = False
    dry_run: bool = False
    embedded: bool = False
    server: bool = False
    server_url: str | None = None

    @property
    def set_words(self) -> str:
        """The settings as they would be typed after another command, with a space before them; empty if there are none.

        How things look is for whoever types that command.
        """
        words = [["--set", f"{key}={value}"] for key, value in self.set.items() if not key.startswith(OWN_SECTION)]
        return "".join(f" {shlex.join(each)}" for each in words)


def initial(env: Mapping[str, str]) -> Options:
    """What holds before the first word of the command line is read."""
    return Options(agent=is_set(env, AGENT_VARIABLE))


def is_set(env: Mapping[str, str], name: str) -> bool:
    """Whether a variable that says yes or no says yes."""
    return env.get(name, "0") not in ("", "0")


@dataclass(slots=True)
class Session:
    """What one command line carries from its first word to its exit code."""

    options: Options = field(default_factory=Options)
    open_control: Callable[..., Any] | None = None
    """Opens the door to a home; None takes the product's own."""
    done: str | None = None
    """The last operation that was to change something, and has."""


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is None or value == () or ctx.resilient_parsing:
        return
    session = ctx.find_object(Session)
    assert session is not None
    options = session.options
    match param.name:
        case "set":
            options.set.update(_pair(text) for text in value)
        case "json":
            options.format = "json"
        case "fields":
            options.fields = tuple(name.strip() for name in value.split(",") if name.strip())
        case "verbose":
            options.verbose = max(options.verbose, value)
        case "where":
            options.where = (*options.where, *value)
        case "no_progress":
            options.progress = "none"
        case "no_pager":
            options.pager = False
        case name:
            setattr(options, str(name), value)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise click.BadParameter(f"{text!r} is not section.key=value", param_hint="--set")
    return key.strip(), value


def _option(*names: str, **settings: Any) -> Callable[[Decorated], Decorated]:
    return click.option(*names, expose_value=False, callback=_remember, default=None, **settings)


dry_run_option = _option(
    "--dry-run", is_flag=True, flag_value=True, help="Only show what would happen; nothing is changed."
)
"""For commands whose operation may be tried."""
FORMAT = _option("-f", "--format", type=click.Choice(FORMATS), help="How the answer is written.")
SET = _option("--set", multiple=True, metavar="KEY=VALUE", help="A setting for this command: section.key=value.")
SHARED = (
    _option(
        "--home", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where everything is kept."
    ),
    _option("--case", metavar="NAME", help="The case of that name, wherever it lies."),
    _option("--embedded", is_flag=True, flag_value=True, help="Work in this process, whoever else holds the home."),
    _option("--server", is_flag=True, flag_value=True, help="Ask the sentinel of the home, or end if there is none."),
    _option(
        "--server-url", metavar="URL", help="Ask the sentinel at https://HOST:PORT; its token is in CASPARIAN_TOKEN."
    ),
    SET,
    FORMAT,
    _option("--json", is_flag=True, flag_value=True, help="Short for --format json."),
    _option("--fields", metavar="A,B", help="Only these fields, in this order."),
    _option("--where", multiple=True, metavar="EXPR", help="Only items that fit, as state=failed; ~ is 'contains'."),
    _option("--sort", metavar="[-]A", help="By this field; with - the largest first."),
    _option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N rows."),
    _option("--all", is_flag=True, flag_value=True, help="All rows, also on a terminal."),
    _option("--cursor", metavar="C", help="Go on where a cut list ended: its next_cursor."),
    _option("--csv-safe", is_flag=True, flag_value=True, help="Guard spreadsheets: no cell of a CSV is a formula."),
    _option("-q", "--quiet", is_flag=True, flag_value=True, help="No notes, no progress."),
    _option("-v", "--verbose", count=True, help="Say what happens, as JSON lines; -vv says more."),
    _option("--debug", is_flag=True, flag_value=True, help="Show the traceback of an error."),
    _option("--color", type=click.Choice(("auto", "always", "never")), help="Colour words; they are always words too."),
    _option("--progress", type=click.Choice(("auto", "jsonl", "none")), help="How progress is told on standard error."),
    _option("--no-progress", is_flag=True, flag_value=True, help="Short for --progress none."),
    _option("--no-pager", is_flag=True, flag_value=True, help="Never show long texts page by page."),
    _option("--agent", is_flag=True, flag_value=True, help="For programs that think: see casparian help agents."),
    _option("--wait", is_flag=True, flag_value=True, help="Wait while another process works in the home."),
    _option(
        "--timeout",
        type=click.FloatRange(0.1, 86_400),
        metavar="S",
        help="Give up waiting, or asking, after S seconds.",
    ),
    _option("--yes", is_flag=True, flag_value=True, help="Do not ask before something is taken away."),
)


def shared_options(function: Decorated) -> Decorated:
    """Give a command the options of every command."""
    for decorate in reversed(SHARED):
        function = decorate(function)
    return function


def shared_options_but_format(function: Decorated) -> Decorated:
    """As `shared_options`, for a command whose `--format` is that of the file it writes."""
    return _shared_options_but(FORMAT, function)


def shared_options_but_set(function: Decorated) -> Decorated:
    """As `shared_options`, for a command whose `--set` sets values of a row."""
    return _shared_options_but(SET, function)


def _shared_options_but(left_out: Callable[[Any], Any], function: Decorated) -> Decorated:
    for decorate in reversed(SHARED):
        function = function if decorate is left_out else decorate(function)
    return function


def options_of(texts: tuple[str, ...]) -> dict[str, str]:
    """Parser options from `key=value` texts; raises UsageError for another form, and for an option given twice."""
    options: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            asked = f"{key}=VALUE" if key else "delimiter=;"
            raise UsageError(f"{text!r} is not key=value", fix=instead("--option", asked, text))
        if key in options:
            together = ",".join(dict.fromkeys([*options[key].split(","), *value.split(",")]))
            raise UsageError(
                f"the option {key} is given twice",
                why="several words stand in one, with commas between them"
                if key in LISTED
                else "a parser reads a file with one value of an option",
                fix=instead("--option", f"{key}={together if key in LISTED else value}", key),
            )
        options[key] = value
    return options


def instead(option: str, asked: str, refused: str) -> str:
    """A fix that puts a value of an option in the place of the one that was typed."""
    return f"{option} {shlex.quote(asked)} {INSTEAD} {option} {shlex.quote(refused)}"


def sinks_by_topic(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The sinks of each topic, from `topic=sink` texts."""
    topics: dict[str, tuple[str, ...]] = {}
    for text in texts:
        topic, equals, sink = text.partition("=")
        if not equals or "://" in topic:
            raise UsageError(f"{text!r} is not topic=sink", fix=instead("--topic", "sales=parquet://out", text))
        topics[topic.strip()] = (*topics.get(topic.strip(), ()), sink)
    return topics
