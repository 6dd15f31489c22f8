"""Starts a guest for an order: as a copy of its parser's zygote, out of the spare process, or afresh."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from casparian_flow.core.errors import ParserCrashed
from casparian_flow.guest.wire import Kind, frame
from casparian_flow.protocol.messages import JobOrder, Limits, ParserOrder
from casparian_flow.worker.carrying import Carried
from casparian_flow.worker.guest import Guest, begin, fresh_guest
from casparian_flow.worker.shield import shield_host
from casparian_flow.worker.zygotes import Zygotes

WHOLE_FILES: Mapping[int, Carried] = {}


def start_guest(
    parser: ParserOrder,
    jobs: Sequence[JobOrder],
    limits: Limits,
    within: Path | None = None,
    zygotes: Zygotes | None = None,
    carried: Mapping[int, Carried] = WHOLE_FILES,
) -> Guest:
    """A guest that has its order and begins with the first job. `within` is where it gets its own folder.

    It is a copy of its parser's zygote if there is one among `zygotes`, else a fresh interpreter. Raises ParserCrashed,
    and OSError where its folder cannot be made.
    """
    shield_host()
    with contextlib.ExitStack() as held:
        folder = held.enter_context(
            TemporaryDirectory(prefix="casparian-guest-", dir=within, ignore_cleanup_errors=True)
        )
        try:
            guest = _start(parser, limits, zygotes)
        except OSError as exc:
            raise ParserCrashed(f"{parser.name}: its process could not be started", why=str(exc)) from exc
        guest.hold(held.pop_all())
    guest.send(_order(parser, jobs, limits, folder, carried))
    return guest


def _start(parser: ParserOrder, limits: Limits, zygotes: Zygotes | None) -> Guest:
    if zygotes is None:
        return fresh_guest()
    if (copy := begin(lambda passed, _held: zygotes.fork(parser, limits, passed))) is not None:
        return copy
    guest = zygotes.spare.take() or fresh_guest()
    guest.why_fresh = zygotes.why_not(parser, limits)
    return guest


def _order(
    parser: ParserOrder, jobs: Sequence[JobOrder], limits: Limits, folder: str, carried: Mapping[int, Carried]
) -> bytes:
    order: dict[str, Any] = {
        "parser": {
            "name": parser.name,
            "path": parser.path,
            "options": parser.options,
            "requires": parser.requires,
        },
        "jobs": [
            {
                "job": job.job,
                "path": os.fsdecode(job.path),
                "source_hash": job.source_hash,
                "file_version": job.file_version,
            }
            | _spans(carried.get(job.job))
            for job in jobs
        ],
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "cpu_seconds": limits.cpu_seconds,
            "open_files": limits.open_files,
            "scratch_bytes": limits.scratch_bytes,
        },
        "frame_bytes": limits.frame_bytes,
        "folder": folder,
    }
    return frame(Kind.ORDER, order)


def _spans(carried: Carried | None) -> dict[str, Any]:
    if carried is None:
        return {}
    return {"spans": carried.spans, "verdicts": {each.name: each.value for each in carried.verdicts}}
