"""Which rows a plan takes out of a table because their file is read into another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.reasons import RunReason
from casparian_flow.operations.run.plan import MovedRows
from casparian_flow.sentinel.planning.planner import Decision, Plan
from casparian_flow.store.views.moves import shown_before, shown_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Rows that a job brought of one file and that leave a table once the file has landed in another one."""

    job: int
    table: str
    into: str
    accepted: int
    quarantined: int


def leaving(connection: Connection, plan: Plan) -> dict[int, list[Leaving]]:
    """By location, what goes out of tables that files were read into and that they do not ask for any more.

    Rows of what a file was before it changed go with it, unless another file still holds these bytes.
    """
    again = {
        (each.file.source_hash, each.parser.artifact.name): each
        for each in plan.runs
        if each.parser is not None and each.file.source_hash and each.reason is not RunReason.NEW
    }
    if not again:
        return {}
    at = {each.file.location: each for each in again.values()}
    shown = [
        (again.get((row.source_hash, row.parser_name)), row)
        for row in shown_of(connection, {source_hash for source_hash, _ in again if source_hash})
    ]
    shown += [(at[row.location_id], row) for row in shown_before(connection, at)]
    sinks = {target.uri for target in plan.routes.every_target()}
    found: dict[int, dict[tuple[int, str], Leaving]] = defaultdict(dict)
    for decision, row in shown:
        if decision is None or row.sink_uri not in sinks or row.base_table == decision.base_table:
            continue
        if (into := _into(decision, row.base_table, row.table_name)) is not None:  # once, in however many sinks
            found[decision.file.location][row.job_id, row.table_name] = Leaving(
                job=row.job_id,
                table=row.table_name,
                into=into,
                accepted=row.accepted,
                quarantined=row.quarantined,
            )
    return {location: list(of_file.values()) for location, of_file in found.items()}


def moved(of_files: Mapping[int, Iterable[Leaving]], locations: Iterable[int]) -> list[MovedRows]:
    """What leaves each table for which other one, of the files at these locations; most rows first."""
    sums: dict[tuple[str, str], list[int]] = {}
    counted: set[tuple[int, str]] = set()
    for location in locations:
        files: set[tuple[str, str]] = set()
        for each in of_files.get(location, ()):
            if (each.job, each.table) in counted:  # two files held the same bytes, and both have changed
                continue
            counted.add((each.job, each.table))
            of_pair = sums.setdefault((each.table, each.into), [0, 0, 0])
            of_pair[0] += each.accepted
            of_pair[1] += each.quarantined
            of_pair[2] += (each.table, each.into) not in files
            files.add((each.table, each.into))
    rows = [
        MovedRows(table=table, into=into, accepted=accepted, quarantined=quarantined, files=count)
        for (table, into), (accepted, quarantined, count) in sums.items()
        if accepted or quarantined
    ]
    return sorted(rows, key=lambda each: (-each.accepted - each.quarantined, each.table, each.into))


def _into(decision: Decision, old_base: str, table: str) -> str | None:
    """Where the rows of a table go that was named after `old_base`; None if it was not, or stays the same."""
    parser = decision.parser
    assert parser is not None
    named = {
        parser.table_of(output, old_base): parser.table_of(output, decision.base_table) for output in parser.outputs
    }
    into = (named or {old_base: decision.base_table}).get(table)
    return None if into == table else into
