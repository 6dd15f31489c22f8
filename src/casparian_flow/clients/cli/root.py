"""The command `casparian`: its list of commands, and the way from arguments to an exit code."""

from __future__ import annotations

import codecs
import gc
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from casparian_flow import __version__
from casparian_flow.clients.cli.ending import heed_signals
from casparian_flow.clients.cli.errors import BROKEN_PIPE, failure_of, pasteable, show, unwritten
from casparian_flow.clients.cli.nouns import Entry, LazyGroup
from casparian_flow.clients.cli.options import Session, initial, shared_options
from casparian_flow.clients.cli.render import GLYPHS
from casparian_flow.clients.cli.standard_streams import stand_in_for_closed, told_apart, told_aside
from casparian_flow.core.errors import AnswerUnwritten

LEGIBLE = "casparian.legible"
"""The name under which Python knows how we write what a stream cannot hold."""
GARBAGE = 200_000
"""So many new objects before cycles are looked for: what imports make stays, and looking through it took a fifth."""
COMMANDS = (
    Entry("demo", "Start here", "The whole journey on a small directory of messy files."),
    Entry("init", "Start here", "Make a case folder: everything about one case beside it."),
    Entry("case", "Start here", "The cases you made or used, and the one in use.", also=("cases",)),
    Entry("status", "Start here", "One screen: sources, files, tables, quarantine, what to do next."),
    Entry("metrics", "Start here", "The home in numbers, for what watches it."),
    Entry("doctor", "Start here", "What may be wrong with the home and the machine."),
    Entry("explain", "Start here", "What an error, a reason or a rejection code means, and what to do."),
    Entry("help", "Start here", "Commands, topics, schemas of answers."),
    Entry("completion", "Start here", "Completion for bash, zsh, fish and PowerShell."),
    Entry("version", "Start here", "The version of the product."),
    Entry("scan", "Discover", "Find and hash files; run nothing."),
    Entry("source", "Discover", "The folders that are scanned, and what is left out.", also=("sources",)),
    Entry("files", "Discover", "Every file found, its state and the reason.", also=("file",)),
    Entry("inspect", "Discover", "What a file is, by its bytes."),
    Entry("preview", "Discover", "The first rows of a file as they would land."),
    Entry("infer", "Discover", "What each column of a file can be, and why."),
    Entry("run", "Run", "Turn files into tables."),
    Entry("watch", "Run", "What a sentinel watches.", also=("watches",)),
    Entry("plan", "Run", "What a run would do with every file, and why."),
    Entry("tags", "Discover", "What files are about.", also=("tag",)),
    Entry("rules", "Discover", "Globs that tag files.", also=("rule",)),
    Entry("sink", "Run", "Where tables land.", also=("sinks",)),
    Entry("topic", "Run", "Which tables land elsewhere.", also=("topics",)),
    Entry("why", "Run", "Why a file, a record or a job is as it is."),
    Entry("jobs", "Run", "What ran, and how it ended.", also=("job",)),
    Entry("worker", "Run", "Who turns files into rows, here and elsewhere.", also=("workers",)),
    Entry("output", "Run", "Tables that landed: where, their history, and taking one back.", also=("outputs",)),
    Entry("parser", "Run", "What turns files into rows.", also=("parsers",)),
    Entry("backtest", "Govern", "What a parser would make of files that were read before.", also=("backtests",)),
    Entry("quarantine", "Govern", "Rows that did not fit, by cause.", also=("quarantines",)),
    Entry("replay", "Govern", "What was read again after a fix.", also=("replays",)),
    Entry("repair", "Govern", "Values that a person put right.", also=("repairs",)),
    Entry("contract", "Govern", "The schema of each table.", also=("contracts",)),
    Entry("approval", "Govern", "What waits for a person to decide.", also=("approvals",)),
    Entry("approve", "Govern", "Agree to a change; with enough who agree it is applied."),
    Entry("reject", "Govern", "Refuse a change, or send it back."),
    Entry("key", "Govern", "Who may approve.", also=("keys",)),
    Entry("sql", "Query and prove", "Query tables, quarantine and control tables.", also=("query",)),
    Entry("tables", "Query and prove", "What can be queried.", also=("table",)),
    Entry("export", "Query and prove", "Write a table to one file."),
    Entry("lineage", "Query and prove", "What runs did, as events of OpenLineage."),
    Entry("trace", "Query and prove", "From a record, a file or a job to its bytes, parser and contract."),
    Entry("token", "Settings", "Who may ask over the network, and for what.", also=("tokens",)),
    Entry("start", "Serve", "Hold the home as a service, with workers on this machine."),
    Entry("serve", "Serve", "The same, reached by other machines too."),
    Entry("stop", "Serve", "End the service."),
    Entry("config", "Settings", "Settings, and where each value comes from."),
)


@click.group(
    "casparian",
    cls=LazyGroup,
    entries=COMMANDS,
    package=f"{__package__}.commands",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="casparian %(version)s")
@shared_options
@click.pass_context
def root(ctx: click.Context) -> None:
    """Turn a directory of files into tables you can trust, and prove how you got them."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str], open_control: Callable[..., Any] | None = None) -> int:
    """Run one command line and return its exit code; every error is shown, none escapes."""
    session = Session(options=initial(os.environ), open_control=open_control)
    try:
        code = _invoke(arguments, session)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (Exception, KeyboardInterrupt) as exc:
        if session.options.debug or "--debug" in arguments:
            traceback.print_exc()
        if isinstance(exc, AnswerUnwritten):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else it is complained about at exit
            exc = unwritten(exc, session.done)
        failure = pasteable(failure_of(exc, _crashes(session)), arguments)
        is_agent = session.options.agent or "--agent" in arguments
        as_json = session.options.format in ("json", "jsonl") or _asks_for_json(arguments)
        show(failure, sys.stderr, as_json=as_json, is_agent=is_agent)
        return failure.exit_code
    return code


def main() -> NoReturn:
    """The entry point of the installed commands."""
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])
    codecs.register_error(LEGIBLE, _legible)
    stand_in_for_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=LEGIBLE)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = told_apart(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = told_aside(sys.stderr)
    if instruction := os.environ.get("_CASPARIAN_COMPLETE"):
        from casparian_flow.clients.cli.completion import answer

        answer(root, instruction)
        sys.exit(0)
    # numpy would start a thread for each further core, for linear algebra that nothing here does, and have them spin.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    heed_signals()
    code = run(sys.argv[1:])
    # An ending process gives back all it has; to look through that for cycles first took a fifth of a short run.
    # DuckDB's binding complains on the terminal of what is not taken to pieces.
    if "_duckdb" not in sys.modules:
        gc.freeze()
    sys.exit(code)


def _legible(error: UnicodeError) -> tuple[str | bytes, int]:
    """What a stream cannot hold: our own shapes as letters, everything else as its code."""
    if isinstance(error, UnicodeEncodeError):
        drawn = error.object[error.start].translate(GLYPHS)
        if drawn.isascii():
            return drawn, error.start + 1
    return codecs.backslashreplace_errors(error)


def _invoke(arguments: Sequence[str], session: Session) -> int:
    try:
        with root.make_context("casparian", list(arguments), obj=session) as ctx:
            result = root.invoke(ctx)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    return result if isinstance(result, int) else 0


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether an error should be JSON although the arguments could not be read to their end."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        word in ("--json", "--format=json", "-fjson", "--format=jsonl", "-fjsonl")
        or (word in ("-f", "--format") and value in ("json", "jsonl"))
        for word, value in pairs
    )


def _crashes(session: Session) -> Path:
    from casparian_flow.settings import find_home

    try:
        return find_home(session.options.home, os.environ, Path.cwd(), case=session.options.case).crashes
    except (Exception, KeyboardInterrupt):
        return Path(os.devnull) / "nowhere"
