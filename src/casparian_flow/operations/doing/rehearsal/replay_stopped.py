"""What stopped a replay, what of it is in force, and the commands that take that back or go on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import CanaryFailed
from casparian_flow.core.replays import ReplayKind, ReplayOutcome, ReplayStage
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.run.again import run_again
from casparian_flow.operations.rehearsal.replay import StoppedBy, StoppedReplay
from casparian_flow.sentinel.planning.replaying import difference
from casparian_flow.store import replays as replay_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.replays import Expected

MOST_NAMED = 5
"""Files that are named, of those that came out otherwise."""
_BY_RUNS = (ReplayKind.AMENDMENT, ReplayKind.PARSER)
"""What was left unread of these has another key now, so that any run reads it."""


def stopped_of(connection: Connection, asker: Acting | Reading, replay: RowMapping) -> StoppedReplay | None:
    """Why it stopped, file by file; None if it did not."""
    if replay["stage"] != ReplayStage.STOPPED:
        return None
    files = replay_store.files_of(connection, replay["id"])
    strange = [file for file in files if file.outcome in (ReplayOutcome.DIFFERS, ReplayOutcome.FAILED)]
    differing = [file for file in strange if file.outcome == ReplayOutcome.DIFFERS]
    named = strange[:MOST_NAMED]
    brought = replay_store.brought(connection, [job for file in named for job in (file.old_job, file.new_job)])
    unread = [file.old_job for file in files if file.outcome in (None, ReplayOutcome.SKIPPED)]
    return StoppedReplay(
        by=[StoppedBy(path=file.path, job=str(file.new_job), why=why_strange(file, brought)) for file in named],
        otherwise=len(strange),
        in_force=sum(file.outcome in (ReplayOutcome.DONE, ReplayOutcome.DIFFERS) for file in files),
        unread=len(unread),
        undo=[f"casparian jobs revert {file.new_job} --reason TEXT" for file in differing[:MOST_NAMED]],
        next=_goes_on(connection, asker, replay, unread) if unread else f"casparian replay show {replay['id']}",
    )


def why_strange(file: AnyRow, brought: Mapping[int, Mapping[str, Expected]]) -> str:
    """What was expected of a file that came out otherwise, and what was found; or the error of its job."""
    if file.outcome == ReplayOutcome.FAILED:
        return f"{file.error_code}: {file.error_message}"
    expected = replay_store.expected_of(file)
    return difference(expected, brought.get(file.old_job, {}), brought.get(file.new_job, {})) or ""


def raise_if_stopped(replay: str, stopped: StoppedReplay | None) -> None:
    """Raises CanaryFailed for a replay that stopped: with the file, what is in force, and the command that goes on."""
    if stopped is None:
        return
    first = stopped.by[0] if stopped.by else None
    more = f" (and {stopped.otherwise - 1:,} more)" if stopped.otherwise > 1 else ""
    raise CanaryFailed(
        f"replay {replay} stopped: " + (f"{first.path}: {first.why}{more}" if first else "it was cancelled"),
        why="; ".join([what_is_in_force(stopped), *(f"`{command}` takes it back" for command in stopped.undo[:1])]),
        fix=stopped.next,
    )


def what_is_in_force(stopped: StoppedReplay) -> str:
    """How many of its files were read in spite of all, and how many were not."""
    read = "1 file was read and is in force" if stopped.in_force == 1 else f"{stopped.in_force:,} files are in force"
    left = "1 file waits as before" if stopped.unread == 1 else f"{stopped.unread:,} files wait as before"
    return f"{read}, {left}"


def _goes_on(connection: Connection, asker: Acting | Reading, replay: RowMapping, unread: Collection[int]) -> str:
    """What reads the files that these jobs read; of several runs the first."""
    if replay["kind"] in _BY_RUNS:
        return run_again(connection, asker, unread)[0]
    options = json.loads(replay["config"] or "{}")
    given = [word for name, value in sorted(options.items()) for word in ("--option", f"{name}={value}")]
    return shlex.join(["casparian", "quarantine", "replay", *json.loads(replay["causes"]), *given])
