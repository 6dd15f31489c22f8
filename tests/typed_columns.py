"""One column of every type of the type system with the values that are hardest to keep, for whatever stores rows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa

from casparian_flow.schema.digest import RowDigest
from casparian_flow.schema.rejections import ERROR

NANOSECOND = 1_700_000_000_123_456_789
TEXTS = [
    "",
    " ",
    "null",
    "NULL",
    '"',
    '""',
    "it's",
    "a,b;c\td",
    "\n",
    "lone \r return",
    "\r\n",
    "NUL \x00 inside",
    "\\N",
    "\\",
    "naïve \U0001f600 \u202e",
    "\ufeffmark",
    "=1+1",
    "007",
    "1e5",
    "NaN",
    "true",
    "2024-02-30",
]
COLUMNS: dict[str, pa.Array] = {
    "boolean": pa.array([True, False, None]),
    "int64": pa.array([-(2**63), 2**63 - 1, 0, None]),
    "float64": pa.array(
        [1.5, 5.0, 0.0, -0.0, 0.1, 1e-7, 1e20, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), None]
    ),
    "float64 that is no number": pa.array([float("nan"), 1.0, None]),
    "decimal(38,2)": pa.array([Decimal("-1.25"), Decimal("9" * 36 + ".99"), None], pa.decimal128(38, 2)),
    "decimal(38,0)": pa.array([Decimal("9" * 38), Decimal("-" + "9" * 38), Decimal(0), None], pa.decimal128(38, 0)),
    "decimal(38,38)": pa.array([Decimal("0." + "9" * 38), Decimal("-1e-38"), None], pa.decimal128(38, 38)),
    "decimal(5,3)": pa.array([Decimal("0.001"), Decimal("-0.010"), Decimal("99.999"), None], pa.decimal128(5, 3)),
    "date": pa.array([dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(9999, 12, 31), None], pa.date32()),
    "time": pa.array([0, 1, 86_399_999_999_999, None], pa.time64("ns")),
    "timestamp": pa.array([NANOSECOND, 0, -1, -(2**63) + 1, 2**63 - 1, None], pa.timestamp("ns")),
    "timestamp_tz": pa.array([NANOSECOND, 0, -1, -(2**63) + 1, 2**63 - 1, None], pa.timestamp("ns", "Europe/Berlin")),
    "duration": pa.array([NANOSECOND, 0, -1, 2**63 - 1, None], pa.duration("ns")),
    "string": pa.array([*TEXTS, None]),
    "binary": pa.array([b"", bytes(range(256)), b"\xff\xfe", b"text", None], pa.binary()),
    "json": pa.array(["{}", '{"a":[1,null]}', '"\\u0000"', "null", None]),
    "list of strings": pa.array([[], ["a", None, *TEXTS], [None], None], pa.list_(pa.string())),
    "list of lists": pa.array([[], [[1, None], [], None], None], pa.list_(pa.list_(pa.int64()))),
    "list of decimals": pa.array([[Decimal("1.50"), None], None], pa.list_(pa.decimal128(38, 2))),
    "list of floats": pa.array([[0.5, float("inf"), None, -0.0, 3.0], None], pa.list_(pa.float64())),
    "list of timestamps": pa.array([[NANOSECOND, None, 0], None], pa.list_(pa.timestamp("ns"))),
    "struct": pa.array(
        [{"a": 1, "b": [1.0]}, {"a": None, "b": None}, None],
        pa.struct([("a", pa.int64()), ("b", pa.list_(pa.float64()))]),
    ),
    "struct of all": pa.array(
        [
            {"flag": True, "day": dt.date(2024, 2, 29), "at": dt.time(23, 59, 59), "raw": b"\x00", "text": '"\n'},
            {"flag": None, "day": None, "at": None, "raw": None, "text": None},
            None,
        ],
        pa.struct(
            [
                ("flag", pa.bool_()),
                ("day", pa.date32()),
                ("at", pa.time64("ns")),
                ("raw", pa.binary()),
                ("text", pa.string()),
            ]
        ),
    ),
    "rescued": pa.array(
        [[{"column": "x", "raw": "1", "code": "c"}], [], None],
        pa.list_(pa.struct([("column", pa.string()), ("raw", pa.string()), ("code", pa.string())])),
    ),
    "errors": pa.array([[{"code": "c", "column": None, "expected": "int64", "observed": "x"}], None], pa.list_(ERROR)),
    "contract_version": pa.array([1, None], pa.int32()),
}


def digest_of_rows(rows: pa.Table | pa.RecordBatch) -> str:
    """The same for the same values in the same order: -0.0 is not 0.0, every NaN is the same."""
    digest = RowDigest()
    for batch in pa.Table.from_batches([rows]).to_batches() if isinstance(rows, pa.RecordBatch) else rows.to_batches():
        digest.update(batch)
    return digest.hex()
