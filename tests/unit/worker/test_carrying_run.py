"""What a parser yields of spans is compared with what it yielded of the whole file, before anything is taken in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import ParserRereadsOtherwise
from casparian_flow.worker import carrying_run
from casparian_flow.worker.carrying import Carried, CarriedTable, Span
from casparian_flow.worker.carrying_run import CarryingRun
from casparian_flow.worker.events import Batch

SPANS = (Span(2, 10, 20), Span(5, 40, 50))


@pytest.fixture(autouse=True)
def landing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing lands: what is refused is refused before."""
    monkeypatch.setattr(carrying_run, "Landing", lambda *_: None)


def a_run(path: Path, spans: tuple[Span, ...] = SPANS) -> CarryingRun:
    """A file of six rows of `t`: one of record 5 was rejected, and those of record 2 were for another table."""
    path.write_bytes(b"x")
    contract = Contract("t", 1, (ContractColumn("a", "int64"),))
    none = np.zeros(0, np.int64)
    its = CarriedTable(contract, SimpleNamespace(), 1, np.array([5]), none, kept=5, emitted=6)  # type: ignore[arg-type]
    parser = SimpleNamespace(name="p", tables="parser")
    premises: Any = SimpleNamespace(
        parser=parser, contracts={"t": contract}, is_closed=False, targets=SimpleNamespace()
    )
    found = path.stat()
    order: Any = SimpleNamespace(path=str(path).encode(), base_table="t", size=1, mtime_ns=found.st_mtime_ns)
    return CarryingRun(premises, order, Carried(1, {"t": its}, spans, ()))


def rows(*places: tuple[int, int, int]) -> Batch:
    numbers, starts, ends = (pa.array(each, pa.int64()) for each in zip(*places, strict=True))
    batch = pa.record_batch({"a": ["1"] * len(places)})
    return Batch(job=2, output="t", batch=batch, source_row=numbers, start=starts, end=ends, frame_bytes=1)


@pytest.mark.parametrize("place", [(5, 40, 51), (5, 39, 50), (3, 20, 40), (1, 0, 10), (6, 50, 60), (-1, 0, 0)])
def test_a_row_that_is_at_no_span_is_refused_and_named(tmp_path: Path, place: tuple[int, int, int]) -> None:
    with pytest.raises(ParserRereadsOtherwise) as refused:
        a_run(tmp_path / "f").take(rows((2, 10, 20), place))
    assert refused.value.why == "it yields a record {} at {} to {}".format(*place)


def test_without_spans_no_row_is_at_one(tmp_path: Path) -> None:
    with pytest.raises(ParserRereadsOtherwise):
        a_run(tmp_path / "f", ()).take(rows((2, 10, 20)))


def test_no_more_rows_are_left_out_than_the_whole_file_has(tmp_path: Path) -> None:
    run = a_run(tmp_path / "f")
    run.take(rows(*[(2, 10, 20)] * 3))
    run.take(rows(*[(2, 10, 20)] * 2))
    with pytest.raises(ParserRereadsOtherwise) as refused:
        run.take(rows((2, 10, 20)))
    assert refused.value.why == "it yields more records of t"
