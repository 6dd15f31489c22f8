"""What typing costs: nanoseconds per cell to survey and to validate a column, beside Arrow's own unchecked cast."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa

from benchmarks.shape import PER_CELL, Bench, Benchmark, Figure, Row
from casparian_flow.schema.arrow import arrow_type
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.validate import Validator

ROWS = 65_536
EPOCH = datetime(2020, 1, 1)
_TIMES = 7


def columns() -> dict[str, pa.Array]:
    """A column of text for every type that is read from text."""
    random = np.random.default_rng(1)
    seconds = [EPOCH + timedelta(seconds=int(at)) for at in random.integers(0, 10**8, ROWS)]
    texts = {
        "int64": map(str, random.integers(-(10**6), 10**9, ROWS)),
        "float64": (repr(round(float(number), 3)) for number in random.normal(size=ROWS) * 1000),
        "float64 of 17 digits": (repr(float(number)) for number in random.normal(size=ROWS)),
        "boolean": ("true" if number % 2 else "false" for number in range(ROWS)),
        "date": (str(moment.date()) for moment in seconds),
        "timestamp": map(str, seconds),
        "timestamp_tz": (moment.isoformat() + "Z" for moment in seconds),
        "string": (f"user name {number}" for number in random.integers(0, 10**8, ROWS)),
    }
    return {name: pa.array(list(values)) for name, values in texts.items()}


def _measure(_bench: Bench) -> Iterator[Row]:
    rows = pa.array(np.arange(1, ROWS + 1))
    for name, column in columns().items():
        batch = pa.record_batch({"c": column})
        contract = draft_contract("t", Survey.of(batch, rows))
        validator, target = Validator(contract), arrow_type(contract.columns[0].type)
        survey = _per_cell(partial(Survey.of, batch, rows))
        validate = _per_cell(partial(validator.validate, batch, rows))
        cast = _per_cell(partial(column.cast, target))
        yield Row(f"survey {name}", PER_CELL, survey, "Arrow cast", cast)
        yield Row(f"validate {name}", PER_CELL, validate, "Arrow cast", cast)


def _per_cell(work: Callable[[], object]) -> Figure:
    work()
    return Figure([_seconds(work) / ROWS * 1e9 for _ in range(_TIMES)])


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


BENCHMARK = Benchmark(
    "cells",
    "calls in one process, 65,536 cells each; the only benchmark that looks inside: where to look when a change"
    " touches the schema",
    _measure,
)
