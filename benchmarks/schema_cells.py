"""What typing costs: nanoseconds per cell to survey and to validate a column, beside Arrow's own unchecked cast."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from casparian_flow.schema.arrow import arrow_type
from casparian_flow.schema.digest import RowDigest
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.validate import Validator

ROWS = 65_536
EPOCH = datetime(2020, 1, 1)


def columns() -> dict[str, pa.Array]:
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


def fastest(work: Callable[[], object], times: int = 7) -> float:
    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(once() for _ in range(times))


def main(_quick: bool = False, _rounds: int = 1) -> None:
    rows = pa.array(np.arange(1, ROWS + 1))
    print(f"{'ns per cell':22} {'survey':>8} {'validate':>9} {'Arrow cast':>11} {'validate / Arrow':>17}")
    for name, column in columns().items():
        batch = pa.record_batch({"c": column})
        contract = draft_contract("t", Survey.of(batch, rows))
        validator, target = Validator(contract), arrow_type(contract.columns[0].type)
        survey = fastest(lambda batch=batch: Survey.of(batch, rows))
        validate = fastest(lambda batch=batch, validator=validator: validator.validate(batch, rows))
        arrow = fastest(lambda column=column, target=target: column.cast(target))
        figures = [seconds / ROWS * 1e9 for seconds in (survey, validate, arrow)]
        print(f"{name:22} {figures[0]:8.1f} {figures[1]:9.1f} {figures[2]:11.1f} {validate / arrow:17.2f}")

    batch = pa.record_batch(columns())
    digest = RowDigest()
    print(f"row digest: {batch.nbytes / fastest(lambda: digest.update(batch)) / 1e9:.1f} GB/s")


if __name__ == "__main__":
    main()
