"""Every failpoint by name: all that a run does to a disk, from the claim of a job to its record and the end.

A step that is missing here, or that no run takes any more, fails the census.
"""

from __future__ import annotations

from collections.abc import Iterator


def _steps(**places: str) -> Iterator[str]:
    for place, calls in places.items():
        yield from (f"{place.replace('_', ' ')}: {call}" for call in calls.split())


_PUT_IF_ABSENT = "create write sync remove"
"""A file that gets its name last: `link` is a step of the name."""
_TRANSACTIONS = ("", " (begin)", " (submit)", " (claim)", " (start)", " (end)", " (permit)", " (record)")

HOME = {
    *_steps(
        world="sync",
        home="mkdir sync",
        scratch="mkdir create write remove rmdir",
        state_file="create write sync cut",
        state_journal="create write sync remove",
        state_log="create remove",
    ),
    *(f"state log: {call}{about}" for call in ("write", "sync") for about in _TRANSACTIONS),
}
"""The control database and what workers keep meanwhile: the same whatever the target is."""

FOLDER = {
    *_steps(
        target_folder="mkdir sync",
        owner_folder="mkdir sync",
        new_owner=_PUT_IF_ABSENT,
        owner="link",
        role_folder="mkdir sync",
        table_folder="mkdir sync",
        version_folder="mkdir sync",
        data_file="create write sync remove",
        records_folder="mkdir sync",
        new_readme=_PUT_IF_ABSENT,
        readme="link",
        log_folder="mkdir sync",
        new_log_entry=_PUT_IF_ABSENT,
        log_entry="link",
        checkpoint_folder="mkdir sync",
        new_checkpoint=_PUT_IF_ABSENT,
        checkpoint="link",
    )
}
SCHEMA = set(_steps(new_schema=_PUT_IF_ABSENT, schema="link"))
"""What files have beside them that cannot say their own columns."""

_WAITING = {
    *_steps(
        waiting_place="mkdir sync rmdir",
        waiting_folder="mkdir sync rmdir",
        waiting_file="create write sync remove",
    )
}
_DATABASE = {*_steps(target_folder="mkdir sync", new_database="create remove", database="link write sync"), *_WAITING}

SOMETIMES = {"database: cut", "state log: write (hold)", "state log: sync (hold)"}
"""What an engine does when it finds free space at its end, and what depends on which transactions meet."""

FAILPOINTS = {
    "parquet": FOLDER,
    "csv": FOLDER | SCHEMA,
    "duckdb": _DATABASE | set(_steps(new_database="write sync", database_log="create write sync remove")),
    "sqlite": _DATABASE | set(_steps(database_journal="create write sync remove")),
}
"""By kind of target."""
