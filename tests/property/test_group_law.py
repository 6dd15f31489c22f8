"""How files are grouped, and in which order they come, never changes what becomes of any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.receipts import VerdictNote
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.schema.survey import Survey
from casparian_flow.sdk.emit import SCHEMA_HEADERLESS
from casparian_flow.worker.events import Batch, Event, Noted, RejectedRecord
from landing_groups import Landed, MadeUp, Outcome, a_parser, land_all

CELLS = ["1", "22", "2024-01-31", "x", "", None, "007", "ü, y", "NA"]
GOOD = ["1", "22", "333"]
SHAPES = (("id", "name"), ("id", "name", "more"), ("id",), ("name", "id"))
KNOWN = {
    "events": Contract("events", 3, (ContractColumn("id", "int64", nullable=False), ContractColumn("name", "string")))
}
RULED = replace(
    KNOWN["events"],
    rules=(
        Rule("short", RuleKind.RANGE, ("id",), high="30"),
        Rule("plain", RuleKind.PATTERN, ("name",), pattern="[0-9a-z]*"),
        Rule("once", RuleKind.UNIQUE, ("id", "name"), scope=UniqueScope.FILE),
    ),
)
CONTRACTS = [
    KNOWN["events"],
    RULED,
    replace(RULED, drift=((Axis.TYPE, Mode.RESCUE_VALUE), (Axis.NEW_COLUMN, Mode.QUARANTINE_ROW))),
    replace(KNOWN["events"], rules=RULED.rules[:2], drift=((Axis.RULE, Mode.RESCUE_VALUE),)),
    replace(RULED, drift=((Axis.NEW_COLUMN, Mode.FREEZE), (Axis.MISSING_COLUMN, Mode.FREEZE))),
]
"""Of one table, with and without rules and modes of its own."""


@st.composite
def batches(draw: st.DrawFn) -> tuple[str, pa.RecordBatch, bool]:
    """An output with some of its rows, and whether their places are known."""
    shape = draw(st.sampled_from((*SHAPES, SHAPES[0], SHAPES[0])))
    rows = draw(st.integers(0, 4))
    cells = st.sampled_from(GOOD if draw(st.booleans()) else CELLS)
    kind = draw(st.sampled_from([pa.string()] * 6 + [pa.uint64(), pa.int64()]))
    columns = {
        name: pa.array(draw(st.lists(cells, min_size=rows, max_size=rows)), pa.string())
        if kind == pa.string() or name != "id"
        else pa.array(range(rows), kind)
        for name in shape
    }
    batch = pa.record_batch(columns)
    if not rows:
        batch = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in batch.schema], schema=batch.schema)
    if draw(st.integers(0, 7)) == 0:
        batch = batch.replace_schema_metadata({SCHEMA_HEADERLESS: b"1"})
    output = draw(st.sampled_from(["events", "events", "events", "others", ""]))
    return output, batch, draw(st.booleans())


REJECTED = st.tuples(st.sampled_from(["events", "others"]), st.sampled_from(["cf.x", "cf.y"]))
PIECES = st.lists(st.one_of(batches(), batches(), batches(), REJECTED), max_size=4)


@st.composite
def jobs(draw: st.DrawFn) -> dict[int, MadeUp]:
    """A few files; some are empty, some have the same bytes, some change while they are read."""
    found = {}
    for job in range(1, draw(st.integers(2, 6)) + 1):
        pieces = draw(PIECES)
        content = draw(st.sampled_from([b"", b"same", f"content {job}".encode()]))
        rows = sum(piece[1].num_rows if len(piece) == 3 else 1 for piece in pieces)
        found[job] = MadeUp(content, _events(pieces), rows, changes=draw(st.integers(0, 9)) == 0)
    return found


def _events(pieces: Sequence[Any]) -> Callable[[int], list[Event]]:
    def events(job: int) -> list[Event]:
        said: list[Event] = [Noted(job, (VerdictNote(name="kind", value=f"of {job}", confidence=0.5),))]
        row = 1
        for piece in pieces:
            if len(piece) == 2:
                output, code = piece
                said.append(RejectedRecord(job, output, code, "not good", row, row + 1, None, b"raw", None))
                row += 1
                continue
            output, batch, has_places = piece
            places = pa.array(range(row, row + batch.num_rows), pa.int64()) if has_places else None
            said.append(Batch(job, output, batch, places, places, places, batch.nbytes))
            row += batch.num_rows
        return said

    return events


def what_became(landed: Landed) -> dict[int, Outcome]:
    """Everything that must not depend on groups: not names of files, and not seconds."""
    found = {}
    for job, outcome in landed.outcomes.items():
        receipt = outcome.receipt
        if receipt is not None:
            outputs = tuple(replace(output, sink="", files=()) for output in receipt.outputs)
            receipt = replace(receipt, outputs=outputs, seconds=0.0)
        found[job] = Outcome(receipt, outcome.rows, outcome.error)
    return found


def check_groups(
    made: dict[int, MadeUp], order: Sequence[int], most: int, scheme: str, tables: str, contract: Contract
) -> None:
    parser, known = a_parser(tables), {"events": contract}
    with TemporaryDirectory() as folder:
        single = [[job] for job in made]
        alone = land_all(Path(folder, "a"), made, single, scheme=scheme, contracts=known, parser=parser)
        grouped = land_all(Path(folder, "b"), made, [order], scheme=scheme, contracts=known, parser=parser, most=most)
    assert what_became(grouped) == what_became(alone)
    for landed in (alone, grouped):
        for outcome in landed.sealed:
            for each in outcome.jobs:
                for output in each.receipt.outputs:
                    assert sum(file.rows for file in output.files) == output.rows
    assert all(outcome.receipt or outcome.error for outcome in grouped.outcomes.values())


QUICK = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@QUICK
@given(
    jobs(),
    st.randoms(use_true_random=False),
    st.integers(1, 6),
    st.sampled_from(["topic", "file"]),
    st.sampled_from(CONTRACTS),
)
def test_what_becomes_of_a_file_does_not_depend_on_its_group(
    made: dict[int, MadeUp], random: Any, most: int, tables: str, contract: Contract
) -> None:
    order = list(made)
    random.shuffle(order)
    check_groups(made, order, most, "parquet", tables, contract)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["csv", "duckdb", "sqlite"])
@settings(QUICK, max_examples=20)
@given(jobs(), st.randoms(use_true_random=False), st.integers(1, 6), st.sampled_from(["topic", "file"]))
def test_no_sink_can_tell_groups(scheme: str, made: dict[int, MadeUp], random: Any, most: int, tables: str) -> None:
    order = list(made)
    random.shuffle(order)
    check_groups(made, order, most, scheme, tables, random.choice(CONTRACTS))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from(CELLS), max_size=6)), min_size=1, max_size=6)
)
def test_a_survey_of_several_sources_at_once_is_the_sum_of_their_surveys(parts: list[tuple[str, list[Any]]]) -> None:
    batches = [pa.record_batch({"c": pa.array(cells, pa.string())}) for _, cells in parts]
    numbers = [pa.array(range(len(cells), 0, -1), pa.int64()) for _, cells in parts]
    at_once = Survey.empty()
    sources = [(source, len(cells)) for source, cells in parts]
    at_once.add_from(pa.concat_batches(batches), pa.concat_arrays(numbers), sources)
    single = [Survey.of(batch, rows, source) for batch, rows, (source, _) in zip(batches, numbers, parts, strict=True)]
    assert at_once.to_bytes() == Survey.merged(single).to_bytes()
