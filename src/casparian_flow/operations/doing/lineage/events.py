"""How what `operations.lineage.events` names is done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from casparian_flow.core.errors import ExportFailed, UsageError
from casparian_flow.core.hashing import canonical_json
from casparian_flow.core.times import parse_since
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.lineage.openlineage import Telling
from casparian_flow.operations.lineage.events import ExportLineage, LineageExported
from casparian_flow.operations.query.file_format import STANDARD_OUTPUT
from casparian_flow.store.meta import HOME_ID, meta_value
from casparian_flow.store.views import told_runs as view


def export(reading: Reading, request: ExportLineage) -> LineageExported:
    """Write the events of every run that ended since then, one a line; raises UsageError for a file that is there."""
    since = 0 if request.since is None else parse_since(request.since, reading.now_ns)
    telling = Telling(reading.connection, meta_value(reading.connection, HOME_ID) or "home")
    path = None if request.to == STANDARD_OUTPUT else reading.cwd / request.to
    runs = view.runs_since(reading.connection, since)
    events = 0
    with _opened(path, may_replace=request.overwrite) as file:
        for run in runs:
            for event in telling.events_of(run):
                file.write(canonical_json(event) + "\n")
                events += 1
    return LineageExported(path=None if path is None else str(path), runs=len(runs), events=events)


@contextmanager
def _opened(path: Path | None, *, may_replace: bool) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    try:
        with path.open("w" if may_replace else "x", encoding="utf-8") as file:
            yield file
    except FileExistsError as exc:
        raise UsageError(f"{path} exists already", fix="--overwrite") from exc
    except OSError as exc:
        raise ExportFailed(f"{path} cannot be written", why=exc.strerror or str(exc)) from exc
