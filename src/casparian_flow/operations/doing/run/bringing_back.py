"""Which files are read although a person took their rows out: what is forced says what it brings back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from casparian_flow.operations.run.plan import BroughtBack
from casparian_flow.sentinel.planning.planner import Decision, TakenOut

MOST_PATHS = 5


def brought_back(decisions: Iterable[Decision], rows: Mapping[int, int] | None = None) -> list[BroughtBack]:
    """One entry for each purge or revert that the files of these decisions come back from, most files first.

    `rows` are what each location brought, once it has.
    """
    found: defaultdict[TakenOut, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.brings_back is not None:
            found[decision.brings_back].append(decision)
    return [
        BroughtBack(
            how=taken.how,
            by=taken.by,
            why=taken.why,
            files=len(its),
            rows=None if rows is None else sum(rows.get(each.file.location, 0) for each in its),
            paths=[each.file.display for each in its[:MOST_PATHS]],
        )
        for taken, its in sorted(found.items(), key=lambda each: (-len(each[1]), each[0].why))
    ]
