"""Ends runs: what waited for the end lands, what is permitted and in no worker's hands is rolled forward."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from casparian_flow.sentinel.actions import Action, Done, Promote
from casparian_flow.sentinel.commit import commits
from casparian_flow.sentinel.commit.committing import Committing
from casparian_flow.sentinel.commit.founding import Founding
from casparian_flow.sentinel.commit.open_commits import open_commits, record_without_job
from casparian_flow.sentinel.governance import drafting
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sentinel.planning import replaying
from casparian_flow.sentinel.planning.lost_sources import propose_purges
from casparian_flow.sentinel.runs import Run, Runs
from casparian_flow.store import jobs as job_store
from casparian_flow.store import runs as run_store
from casparian_flow.store.database import Database

TRY_AGAIN_NS = 30_000_000_000
"""So long after a sink refused, what is permitted for it is tried again."""


class RunEnds:
    """Every action at a sink is handed out once and told back with what came of it."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        committing: Committing,
        founding: Founding,
        notify: Notify,
        act: Callable[[Action], None],
        submit: Callable[[int, int], None],
    ) -> None:
        """`submit` takes a run up that is in the store, by its plan and the time."""
        self._database = database
        self._runs = runs
        self._committing = committing
        self._founding = founding
        self._notify = notify
        self._act = act
        self._submit = submit
        self._followed_by: dict[int, int] = {}
        self._under_way: set[tuple[int, ...]] = set()
        self._try_again_ns: int | None = None

    def finish_what_is_done(self, now_ns: int) -> None:
        """Take each run on whose jobs are all over or held."""
        for run in self._runs:
            if run.open:
                continue
            if not run.is_finishing:
                run.is_finishing = True
                self._begin_end(run, now_ns)
            if not run.open and not run.ending:
                with self._database.transaction() as connection:
                    drafting.close(connection, run.plan, run.policy.evidence_margin, now_ns)
                    run_store.finish(connection, run.plan, now_ns)
                    following = replaying.advance(connection, run.plan, now_ns)
                self._runs.drop(run.plan)
                if following is not None:
                    self._followed_by[run.plan] = following
                    self._notify("run.followed", {"plan": run.plan, "by": following})
                    self._submit(following, now_ns)
                self._notify("run.over", {"plan": run.plan})

    def is_over(self, plan: int) -> bool:
        """Whether nothing is left to do of a run and of those that followed when it was over."""
        while self._runs.of_plan(plan) is None:
            if (following := self._followed_by.get(plan)) is None:
                return True
            plan = following
        return False

    def try_again(self, now_ns: int) -> None:
        """Roll forward what a sink refused, after a while."""
        if self._try_again_ns is not None and now_ns >= self._try_again_ns:
            self._try_again_ns = None
            self.roll_forward(now_ns)

    def shift(self, by_ns: int) -> None:
        """So much of the clock does not count."""
        if self._try_again_ns is not None:
            self._try_again_ns += by_ns

    def roll_forward(self, now_ns: int, *, also: Callable[[int], bool] = lambda _job: False) -> list[Action]:
        """Have everything made visible that is permitted, not recorded, and in no worker's hands.

        `also` says of which jobs more is due although their worker may be at it: doing it twice changes nothing. What
        is under way is returned too.
        """
        begun: list[Action] = []
        with self._database.transaction() as connection:
            waiting = open_commits(connection)
            committing = [row.id for row in connection.execute(job_store.COMMITTING)]
            behind = frozenset[int]().union(*(commit.jobs for commit in waiting))
            for job in committing:
                if job not in behind and (job not in self._committing.promoting or also(job)):
                    self._committing.record(connection, [job], now_ns)
        for commit in waiting:
            if any(job in self._committing.promoting and not also(job) for job in commit.jobs):
                continue
            action = Promote(entries=commit.entries, jobs=commit.jobs, commits=commit.ids)
            begun.append(action)
            if action.commits not in self._under_way:
                self._under_way.add(action.commits)
                self._act(action)
        return begun

    def done(self, done: Done, now_ns: int) -> None:
        """An action was carried out."""
        action = done.action
        for uri, error in done.troubles.items():
            self._notify("sink.failed", {"sink": uri, "message": error.message})
        if not isinstance(action, Promote):
            return
        self._under_way.discard(action.commits)
        if done.troubles:
            self._try_again_ns = now_ns + TRY_AGAIN_NS
            error = next(iter(done.troubles.values()))
            self._committing.note_trouble(sorted(action.jobs), error.code, error.message, error.why, now_ns)
        else:
            self._record(action, now_ns)
        for run in self._runs:
            run.ending = [each for each in run.ending if each != action]

    def _record(self, action: Promote, now_ns: int) -> None:
        with self._database.transaction() as connection:
            self._committing.record(connection, sorted(action.jobs), now_ns)
            if not action.jobs:
                record_without_job(connection, action.commits)
            # A replay waits for what a sink refused when the run was over.
            plans = replaying.resume(connection, now_ns)
        for plan in plans:
            self._submit(plan, now_ns)

    def _begin_end(self, run: Run, now_ns: int) -> None:
        with self._database.transaction() as connection:
            if run.held:
                self._replace(connection, run, now_ns)
            if run.open:  # what was sealed with a job that may not commit is read again
                run.is_finishing = False
                return
            # Rows of a file that another run reads anew go when it lands, not before.
            retired = commits.retire(connection, now_ns) if len(self._runs) == 1 else []
            propose_purges(connection, now_ns)
        for table in sorted({entry.table for entry in retired}):
            self._notify("rows.retired", {"plan": run.plan, "table": table})
        run.ending = self.roll_forward(now_ns)

    def _replace(self, connection: Connection, run: Run, now_ns: int) -> None:
        """Permit everything that was held as one commit; what was cancelled meanwhile leaves nothing behind."""
        cancelled = [
            facts.id for facts, _ in run.held.values() if not job_store.may_commit(connection, facts.id, facts.attempt)
        ]
        for job in cancelled:
            self._committing.cancel_held(run, job, now_ns)
        if run.open or not run.held:
            return
        held = list(run.held.values())
        commits.permit_replacement(connection, held, run.policy.kept_hashes, self._founding.contracts, now_ns)
        run.held.clear()
