"""The jobs that a command is about: named one by one, or chosen with `--where` among those in some states."""

from __future__ import annotations

from collections.abc import Sequence

from casparian_flow.clients.cli.face import Face
from casparian_flow.core.errors import UsageError
from casparian_flow.core.jobs import JobState


def choose_jobs(face: Face, named: Sequence[str], states: Sequence[JobState]) -> tuple[str, ...]:
    """The names as given, else the jobs in these states that fit every `--where`, newest first.

    The conditions are used up then: they are not about the answer. Raises UsageError for neither, both or too many.
    """
    where = face.options.where
    if bool(named) == bool(where):
        raise UsageError(
            "which jobs is not said" if not named else "jobs are named, and --where is given too",
            why="name jobs, or choose them with --where",
            fix="casparian jobs",
        )
    if named:
        return tuple(named)
    from casparian_flow.clients.cli.lists import choose, read_wish
    from casparian_flow.operations.job.cancel import MOST
    from casparian_flow.operations.job.jobs import JobEntry, JobList, ListJobs

    def ask(limit: int, after: str | None) -> JobList:
        page: JobList = face.ask("jobs.list", ListJobs(states=tuple(states), limit=limit, after=after))
        return page

    wish = read_wish(where, None, None, MOST, JobEntry.__struct_fields__)
    rest = {"next_cursor": None}
    found = tuple(item["job"] for item in choose(wish, "jobs", ask(wish.page, None), ask, rest))
    if rest["next_cursor"] is not None:
        raise UsageError(f"more than {MOST:,} jobs fit", fix="--where with a narrower condition")
    face.options.where = ()
    return found
