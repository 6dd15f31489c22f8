"""`casparian_flow.open`: one home from Python, the same operations as the command."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypedDict, TypeVar, Unpack

import pyarrow as pa
from msgspec import ValidationError, convert

from casparian_flow.clients.api.places import absolute, working_folder
from casparian_flow.clients.api.read import Option
from casparian_flow.clients.control import Control, unheard
from casparian_flow.core.errors import UsageError
from casparian_flow.operations.context import Reading, Report
from casparian_flow.operations.doing.query.sql import arrow_of
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.query.sql import AskSql, ListTables, TableEntry, TableList
from casparian_flow.operations.registry import Reply, Request
from casparian_flow.operations.run.plan import MakePlan, PlanReply
from casparian_flow.operations.run.reply import RunReply
from casparian_flow.operations.run.run import RunFiles
from casparian_flow.operations.source.scan import ScanFiles, ScanReply
from casparian_flow.settings import Home as HomeFolder
from casparian_flow.settings import Settings, find_case, find_home, load
from casparian_flow.wiring import open_acting

Paths = str | os.PathLike[str]
Asked = TypeVar("Asked", bound=Request)
Answered = TypeVar("Answered", bound=Reply)


class Selection(TypedDict, total=False):
    """What `run` and `plan` may be told beside the paths; each as the option of that name of `casparian run`.

    `sink` is one URI or name, or several; `topics` are the sinks of single topics.
    """

    parser: str
    options: Mapping[str, Option]
    table: str
    tag: str
    since: str
    sink: str | Sequence[str]
    topics: Mapping[str, str | Sequence[str]]
    mode: str
    force: bool


def open_home(home: Paths | None = None, *, settings: Mapping[str, str] | None = None) -> Home:
    """A home by its folder, made by the first call that writes; without one, the home that the command would use.

    `settings` override those of the home, as `--set` does: `{"run.workers": "1"}`. Raises ConfigError for one that does
    not exist or does not fit.
    """
    explicit = None if home is None else absolute(home)
    return Home(find_home(explicit, os.environ, working_folder()), settings or {})


class Home:
    """One home. Nothing is held between calls, so that other processes may use it too; `with` closes it for good.

    Each method raises a CasparianError: HomeBusy while another process changes the home, else as the command of its
    name does. Paths and sinks are relative to the working folder. A method returns when its work is done; an interrupt
    stops the work and leaves the home as after a crash, which the next call puts right.
    """

    def __init__(self, folder: HomeFolder, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._overrides = dict(settings)
        self._closed = False
        self._settings()

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._folder.path

    def scan(self, *paths: Paths, with_sha256: bool = False, progress: Report = unheard) -> ScanReply:
        """Find and hash what the folders hold, parse nothing; without a path, every known source."""
        request = _request(ScanFiles, paths=_texts(paths), with_sha256=with_sha256)
        return self._ask("scan", request, ScanReply, progress)

    def plan(self, *paths: Paths, progress: Report = unheard, **selection: Unpack[Selection]) -> PlanReply:
        """What `run` would do with every file, and why. It is kept: `run(plan=reply.plan)` does exactly that."""
        return self._ask("plan.make", _selected(paths, selection), PlanReply, progress)

    def run(
        self,
        *paths: Paths,
        plan: str | None = None,
        workers: int | None = None,
        job_seconds: float | None = None,
        tolerance: float | None = None,
        first_contract: str | None = None,
        progress: Report = unheard,
        **selection: Unpack[Selection],
    ) -> RunReply:
        """Turn files into tables; what is up to date is skipped. One bad file never stops the others.

        The reply's `outcome` is `completed`, `quarantined`, `failed_files` or `approval`: look at it, since files that
        failed are no exception. `progress` is called with the name of an event and its values, in this thread.
        """
        request = _request(
            RunFiles,
            selection=_selected(paths, selection),
            plan=plan,
            workers=workers,
            job_seconds=job_seconds,
            tolerance=tolerance,
            first_contract=first_contract,
        )
        return self._ask("run", request, RunReply, progress)

    def sql(
        self, query: str, *, as_of: str | None = None, seconds: float = 60.0, max_rows: int | None = None
    ) -> pa.Table:
        """The answer to a query that only reads: tables, `quarantine.TABLE` and control tables, as Arrow.

        With `max_rows` no more than the first so many rows. `as_of` is a snapshot or a job: tables as they were
        then. Raises QueryRefused, QueryFailed or QueryTimedOut.
        """
        with self._reading() as reading:
            rows = sys.maxsize if max_rows is None else max_rows
            return arrow_of(reading, _request(AskSql, query=query, as_of=as_of, seconds=seconds, max_rows=rows))

    def tables(self) -> list[TableEntry]:
        """What can be queried."""
        return self._ask("tables.list", ListTables(), TableList, unheard).tables

    def __enter__(self) -> Home:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed = True

    def __repr__(self) -> str:
        return f"casparian_flow.open({str(self.path)!r})"

    def _ask(self, name: str, request: Request, kind: type[Answered], progress: Report) -> Answered:
        self._refuse_if_closed()
        acting = partial(open_acting, self._folder, self._settings(), working_folder())
        reply = Control(self._reading, acting).ask(name, request, progress)
        assert isinstance(reply, kind)
        return reply

    def _reading(self) -> AbstractContextManager[Reading]:
        self._refuse_if_closed()
        return open_reading(self._folder, self._settings(), working_folder())

    def _settings(self) -> Settings:
        """The settings in force now: its file may have changed since the last call."""
        case = find_case(working_folder())
        return load(self._folder, os.environ, self._overrides, case=case)[0]

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise UsageError("this home was closed", fix=f"casparian_flow.open({str(self.path)!r})")


def _texts(paths: tuple[Paths, ...]) -> tuple[str, ...]:
    return tuple(os.fspath(path) for path in paths)


def _selected(paths: tuple[Paths, ...], selection: Selection) -> MakePlan:
    options = {name: _as_typed(value) for name, value in selection.pop("options", {}).items()}
    sinks = _listed(selection.pop("sink", ()))
    topics = {topic: _listed(named) for topic, named in selection.pop("topics", {}).items()}
    return _request(MakePlan, paths=_texts(paths), options=options, sinks=sinks, topics=topics, **selection)


def _listed(one_or_more: str | Sequence[str]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


def _as_typed(value: Option) -> str:
    """An option as a person would type it."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _request(kind: type[Asked], **values: object) -> Asked:
    """The request, checked as one that comes from outside; raises UsageError."""
    try:
        return convert(values, kind)
    except ValidationError as exc:
        raise UsageError("a value does not fit", why=str(exc)) from exc
