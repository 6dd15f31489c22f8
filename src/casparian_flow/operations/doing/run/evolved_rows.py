"""What the changes that a run let in by itself did to its rows: which were released, and what each table has since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from casparian_flow.core.proposal_bodies import body_of
from casparian_flow.core.proposal_text import what
from casparian_flow.core.proposals import Kind, label
from casparian_flow.core.replays import ReplayOutcome
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.contract.evolving import Change
from casparian_flow.operations.doing.rehearsal.replay_outcome import reply_of
from casparian_flow.operations.run.reply import AppliedChange
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store.replays import Expected


def applied_changes(connection: Connection, acting: Acting, changes: Sequence[Change]) -> list[AppliedChange]:
    """The changes with what each released, in the order in which they were applied."""
    found = []
    for change in changes:
        row = proposal_store.one(connection, change.proposal)
        replies = [reply_of(connection, acting, replay) for replay in change.replays]
        found.append(
            AppliedChange(
                proposal=label(Kind(row.kind), row.id),
                table=row.table_name or "",
                what=what(body_of(row.body)),
                released=sum(each.released for each in replies),
                replays=[str(replay) for replay in change.replays],
            )
        )
    return found


def rows_since(connection: Connection, jobs: Collection[int], changes: Sequence[Change]) -> Mapping[str, Expected]:
    """By table, how many more rows than these jobs brought their files have since the changes; fewer count below 0."""
    newest = {job: job for job in jobs}
    first = {job: job for job in jobs}
    for change in changes:
        for replay in change.replays:
            for file in replay_store.files_of(connection, replay):
                is_read = file.outcome in (ReplayOutcome.DONE, ReplayOutcome.DIFFERS) and file.new_job is not None
                if is_read and file.old_job in first:  # else it is of an earlier run
                    origin = first[file.new_job] = first[file.old_job]
                    newest[origin] = file.new_job
    read_again = {old: new for old, new in newest.items() if old != new}
    brought = replay_store.brought(connection, [*read_again, *read_again.values()])
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for old, new in read_again.items():
        for job, sign in ((old, -1), (new, 1)):
            for table, rows in brought.get(job, {}).items():
                sums[table][0] += sign * rows.accepted
                sums[table][1] += sign * rows.quarantined
    return {table: Expected(accepted, quarantined) for table, (accepted, quarantined) in sums.items()}
