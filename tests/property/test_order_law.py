"""How files travel changes nothing: in one process in any order they give what each gives in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.hashing import digest_of
from casparian_flow.protocol.messages import JobOrder
from casparian_flow.publish.discover import FoundParser, shipped_parsers
from casparian_flow.sentinel.planning.registered import parser_order, registered_of
from casparian_flow.worker import zygotes as pool
from casparian_flow.worker.events import Batch, Ended, Event, Noted, Printed, Raised, RejectedRecord
from guest_orders import a_job_order
from warm_zygotes import open_zygotes, read, warm

MOST_FILES = 12
SHIPPED = shipped_parsers()
FAST = ("sqlite", "web_access")
"""Parsers of two kinds, for the fast suite: one that keeps files open, one of those that share most of their code."""


def what_came(events: Sequence[Event]) -> dict[int, list[Any]]:
    """Everything that was said about each job, however its rows were cut into batches."""
    found: dict[int, list[Any]] = {}
    rows: dict[tuple[int, str], list[Any]] = {}
    for event in events:
        match event:
            case Batch():
                places = [None if at is None else at.to_pylist() for at in (event.source_row, event.start, event.end)]
                at = (event.job, event.output)
                rows.setdefault(at, [])
                for number, row in enumerate(event.batch.to_pylist()):
                    rows[at].append((repr(row), event.batch.schema, *(at and at[number] for at in places)))
            case Noted():
                found.setdefault(event.job, []).extend(event.verdicts)
            case RejectedRecord():
                found.setdefault(event.job, []).append(event)
            case Printed() if event.job is not None:
                found.setdefault(event.job, []).append(event)
            case Ended():
                found.setdefault(event.job, []).append((event.emitted, event.log_dropped))
            case Raised():
                found.setdefault(event.job, []).append((event.error.code, event.error.message, event.error.why))
            case _:
                pass
    for (job, output), each in rows.items():
        found[job].append((output, each))
    return found


def jobs_of(shipped: FoundParser) -> list[JobOrder]:
    """The inputs of its cases, and a file that is none of its kind."""
    inputs = [*sorted(shipped.path.glob("cases/*/input.*"))[: MOST_FILES - 1], Path(__file__)]
    return [
        msgspec.structs.replace(a_job_order(number, path), source_hash=digest_of(path.read_bytes()))
        for number, path in enumerate(inputs, 1)
    ]


@pytest.mark.skipif(not pool.can_fork(), reason="zygotes need Linux")
@pytest.mark.parametrize(
    "shipped",
    [
        pytest.param(each, id=each.path.name, marks=[] if each.path.name in FAST else [pytest.mark.slow])
        for each in SHIPPED
    ],
)
def test_the_order_of_files_in_a_process_and_the_process_itself_never_change_what_comes_of_them(
    shipped: FoundParser, tmp_path: Path
) -> None:
    registered = registered_of(shipped)
    together = parser_order(registered, dict(registered.manifest.options))
    alone = msgspec.structs.replace(together, shares_process=False)
    jobs = jobs_of(shipped)
    assert together.shares_process, "shipped parsers keep nothing from file to file"
    with open_zygotes(tmp_path) as zygotes:
        assert warm(zygotes, together) == ""
        expected = what_came(read(zygotes, alone, jobs))
        assert set(expected) == {job.job for job in jobs}
        assert what_came(read(None, together, jobs)) == expected, "a fresh process"

        @settings(max_examples=5)
        @given(order=st.permutations(jobs))
        def law(order: list[JobOrder]) -> None:
            assert what_came(read(zygotes, together, order)) == expected

        law()
