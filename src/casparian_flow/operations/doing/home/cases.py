"""How what `operations.home.cases` names is done."""

from __future__ import annotations

import shlex
from pathlib import Path

from casparian_flow.cases import CASE_FOLDER, check_owner, choose, facts_of, known_cases
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.source.sources import list_
from casparian_flow.operations.home.cases import CaseDetail, CaseEntry, CaseList, CaseUsed, ListCases, ShowCase, UseCase
from casparian_flow.operations.home.disk import disk_use
from casparian_flow.operations.home.status import OpenQuarantine, TableStatus
from casparian_flow.operations.local import Local
from casparian_flow.operations.source.sources import ListSources
from casparian_flow.store.views import quarantine as quarantine_view
from casparian_flow.store.views import totals


def list_cases(local: Local, _request: ListCases) -> CaseList:
    """Every case that `init` made or `case use` chose, also one that is gone."""
    known = known_cases()
    return CaseList(cases=[_entry(home, here=local.case, chosen=known.chosen) for home in known.homes])


def use(local: Local, request: UseCase) -> CaseUsed:
    """Choose the case for commands outside any case folder; raises NotFound or UsageError."""
    if request.case is None:
        choose(None)
        return CaseUsed(name=None, home=None)
    home = _home_of(local.cwd, request.case)
    check_owner(home)
    choose(home)
    return CaseUsed(name=facts_of(home).name, home=str(home))


def show(reading: Reading, _request: ShowCase) -> CaseDetail:
    """What the case says about itself, what it holds and what it takes on disk."""
    home = reading.home.path
    facts = facts_of(home)
    rows, files = quarantine_view.count_open(reading.connection)
    return CaseDetail(
        name=facts.name,
        home=str(home),
        examiner=facts.examiner,
        created=facts.created or None,
        sources=list_(reading, ListSources()).sources,
        tables=[TableStatus(**row) for row in totals.list_tables(reading.connection)],
        quarantine=OpenQuarantine(rows=rows, files=files, waived=quarantine_view.count_waived(reading.connection)),
        disk=disk_use(home),
    )


def _entry(home: Path, *, here: Path | None, chosen: Path | None) -> CaseEntry:
    is_there = home.is_dir()
    facts = facts_of(home)
    return CaseEntry(
        name=facts.name,
        path=str(home.parent),
        examiner=facts.examiner,
        created=facts.created or None,
        is_here=is_there and here is not None and home.samefile(here),
        is_chosen=home == chosen,
        is_missing=not is_there,
    )


def _home_of(cwd: Path, named: str) -> Path:
    """The home of a case by its name, else by its folder."""
    try:
        return known_cases().named(named)
    except NotFound:
        folder = (cwd / named).resolve()
        home = folder if folder.name == CASE_FOLDER else folder / CASE_FOLDER
        if not home.is_dir():
            if folder.is_dir():
                raise UsageError(
                    f"{named} is no case folder", where=str(folder), fix=f"casparian init {shlex.quote(named)}"
                ) from None
            raise
        return home
