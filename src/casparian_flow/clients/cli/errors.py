"""Says what went wrong in four lines or one object, and turns it into an exit code."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import TextIO

import click

from casparian_flow import __version__
from casparian_flow.clients.cli.nouns import UnknownWord
from casparian_flow.core.errors import INSTEAD, AnswerUnwritten, CasparianError
from casparian_flow.core.text import safe_text
from casparian_flow.core.traces import kind_and_place, trace

USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that wrote to a pipe nobody reads."""
AGAIN = "--"
"""The fix that is the command itself, typed once more."""
VERB = re.compile("[a-z]{2,20}")
OPTION = re.compile("--?[a-z][a-z-]*")
LONGEST_COMMAND = 400
"""A longer command line is not repeated to the person who typed it."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came, which ends a command as Ctrl-C does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as it is shown."""

    code: str
    message: str
    where: str = ""
    why: str = ""
    fix: str = ""
    exit_code: int = 1
    retryable: bool = False


def failure_of(error: BaseException, crashes: Path) -> Failure:
    """The error as shown; one that nobody foresaw is written to a report in `crashes` and named."""
    if isinstance(error, CasparianError):
        return Failure(
            code=error.code,
            message=error.message,
            where=error.where,
            why=error.why,
            fix=error.fix,
            exit_code=error.exit_code,
            retryable=error.transient,
        )
    if isinstance(error, UnknownWord):
        return Failure(code="usage", message=error.message, fix=error.suggestion, exit_code=USAGE)
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return Failure(
            code="interrupted",
            message="stopped by SIGTERM" if isinstance(error, Terminated) else "stopped by the keyboard",
            why="what was committed is kept; the next run puts right what was only begun",
            fix=AGAIN,
            exit_code=INTERRUPTED,
            retryable=True,
        )
    report = write_report(error, crashes)
    return Failure(
        code="crash",
        message="something that should not happen happened",
        where=str(report) if report else "",
        why=kind_and_place(error),
        fix="run it again with --debug, and send the report file to the maintainers",
    )


def unwritten(error: AnswerUnwritten, done: str | None) -> AnswerUnwritten:
    """The error, saying what is `done` all the same; a command that only looks is asked again."""
    if done is None:
        return AnswerUnwritten(error.message, where=error.where, why=error.why, fix=AGAIN)
    what = "the run" if done == "run" else "what you asked for"
    message = f"{what} is done, but its answer could not be written"
    return AnswerUnwritten(message, where=error.where, why=error.why, fix="casparian status")


def pasteable(failure: Failure, arguments: Sequence[str]) -> Failure:
    """The failure; where its fix is an option to add, or one in place of another, or to try again, it is a command."""
    if not failure.fix.startswith("--"):
        return failure
    options = sum(1 for _ in takewhile(lambda word: word != "--", arguments))
    option, _, refused = failure.fix.partition(f" {INSTEAD} ")
    kept = _without(arguments[:options], shlex.split(refused)) if refused else arguments[:options]
    added = () if option == AGAIN else (option,)
    words = [shlex.join(["casparian", *kept]), *added, *map(shlex.quote, arguments[options:])]
    whole = " ".join(words)
    if len(whole) > LONGEST_COMMAND:
        return replace(failure, fix="") if failure.fix == AGAIN else failure
    return replace(failure, fix=whole)


def _without(arguments: Sequence[str], refused: Sequence[str]) -> list[str]:
    """The arguments without an option whose value is that, or where none is, is about that: as one word or as two."""
    option, about = refused
    typed = {f"{word} {after}" for word, after in pairwise(arguments)}
    typed |= {word.replace("=", " ", 1) for word in arguments}
    is_exact = f"{option} {about}" in typed
    kept, rest = [], iter(arguments)
    for word in rest:
        name, is_one, value = word.partition("=")
        if name != option:
            kept.append(word)
            continue
        value = value if is_one else next(rest, "")
        if value != about and (is_exact or not value.startswith((f"{about}:", f"{about}="))):
            kept += [word] if is_one else [word, value]
    return kept


def _usage(error: click.ClickException) -> Failure:
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else "casparian"
    message = error.format_message().rstrip(".")
    return Failure(
        code="usage",
        message=message[:1].lower() + message[1:],
        where=path,
        fix=f"{path} --help",
        exit_code=USAGE,
    )


def show(failure: Failure, stream: TextIO, *, as_json: bool, is_agent: bool = False) -> None:
    """Write the failure: one JSON object, or a line each for what, where, why and fix."""
    if is_agent:
        from casparian_flow.clients.cli.envelope import enclose_failure

        stream.write(json.dumps(enclose_failure(asdict(failure))) + "\n")
    elif as_json:
        stream.write(json.dumps({"schema": "casparian.error/1", **asdict(failure)}) + "\n")
    else:
        stream.write(f"error[{failure.code}]: {safe_text(failure.message)}\n")
        for name in ("where", "why", "fix"):
            if text := getattr(failure, name):
                stream.write(f"  {name:<5} {safe_text(text)}\n")
    stream.flush()


def _form(arguments: Sequence[str]) -> str:
    """The verb, the names of the options, and how many words there were besides."""
    verb = arguments[0] if arguments and VERB.fullmatch(arguments[0]) else ""
    options = [OPTION.match(word) for word in arguments]
    named = [found[0] for found in options if found is not None]
    others = len(arguments) - len(named) - bool(verb)
    return " ".join([part for part in (verb, *named) if part] + [f"and {others} more words"])


def write_report(error: BaseException, folder: Path) -> Path | None:
    """A file with the traceback and the versions, in the home or else the temporary folder; None if neither works.

    What the errors say is not in it, nor what was typed: it is made to be sent to somebody else, and both may repeat
    values of a file. So it may lie anywhere, and no purge has to look for it.
    """
    text = "\n".join(
        [
            f"casparian {__version__}",
            f"python {platform.python_version()} {platform.platform()}",
            f"time {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}",
            f"command {_form(sys.argv[1:])}",
            "",
            trace(error),
        ]
    )
    name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    # A home is not made for the sake of a report.
    places = [folder] if folder.parent.is_dir() else []
    for place in (*places, Path(tempfile.gettempdir())):
        path = place / name
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return path
    return None
