"""Orders for guests, and a way to run a parser written inside a test."""

from __future__ import annotations

import textwrap
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from casparian_flow.core.hashing import digest_of
from casparian_flow.protocol.messages import JobOrder, Limits, ParserOrder
from casparian_flow.worker.bridge import parse
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Batch, Event, Quiet, Raised


def write_parser(folder: Path, source: str, name: str = "sample.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(source))
    return path


def a_parser_order(path: Path, **options: Any) -> ParserOrder:
    return ParserOrder(
        name=path.stem,
        label=f"{path.stem}@0",
        path=str(path),
        artifact_hash=digest_of(path.read_bytes() if path.is_file() else b""),
        env_hash="blake3:00",
        tables="topic",
        requires=[],
        declared=[],
        shares_process=True,
        options=options,
    )


def a_job_order(job: int, path: Path | None = None) -> JobOrder:
    return JobOrder(
        job=job,
        attempt=1,
        path=str(path or "/evidence/none").encode(),
        size=0,
        mtime_ns=0,
        source_hash="blake3:11",
        file_version=7,
        base_table="none",
        processed_at_ns=0,
    )


def run_parser(
    folder: Path,
    source: str,
    *,
    jobs: Sequence[int] = (1,),
    limits: Limits | None = None,
    stop: CancelToken | None = None,
    **options: Any,
) -> list[Event]:
    order = a_parser_order(write_parser(folder, source), **options)
    paths = [a_job_order(job, folder / f"{job}.dat") for job in jobs]
    return list(said(order, paths, limits or Limits(job_seconds=60.0), stop or CancelToken()))


def said(*arguments: Any, **more: Any) -> Generator[Event]:
    """What `parse` yields, its silence aside."""
    with closing(parse(*arguments, **more)) as events:
        yield from (event for event in events if not isinstance(event, Quiet))


def rows_of(events: Sequence[Event], output: str | None = None) -> list[dict[str, Any]]:
    batches = [e for e in events if isinstance(e, Batch) and output in (None, e.output)]
    return [row for event in batches for row in event.batch.to_pylist()]


def the_failure(events: Sequence[Event]) -> Raised:
    [raised] = [event for event in events if isinstance(event, Raised)]
    return raised
