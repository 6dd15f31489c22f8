"""The fields of error log lines, taken from many lines at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.sdk import Rejected, Rows
from casparian_flow.sdk.records import RecordBlock
from casparian_flow.sdk.times import days, fixed_width, fraction, moments, month, number, timestamps

OUTPUT = "web_error"
_CLIENT = r"\[(?:client|remote) (?P<client>\S*?)(?::(?P<port>\d{1,5}))?\] "
APACHE = (
    r"^\[[A-Z][a-z]{2} (?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))? (?P<year>\d{4})\] "
    r"\[(?:(?P<module>[^:\]\s]*):)?(?P<level>[a-z]+\d?)\] "
    r"(?:\[pid (?P<pid>\d{1,18})(?::tid (?P<tid>\d{1,18}))?\] )?"
    r"(?:(?P<system>\(\d+\)[^:\[]{1,200}): )?"
    rf"(?:{_CLIENT})?"
    r"(?:(?P<code>AH\d{5}): )?(?P<message>.*)$"
)
NGINX = (
    r"^(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>[a-z]+)\] (?P<pid>\d{1,18})#(?P<tid>\d{1,18}): "
    r"(?:\*(?P<connection>\d{1,18}) )?(?P<message>.*)$"
)
_NGINX_DETAILS = {
    "client_ip": r", client: (?P<value>[^,\s]+)",
    "server": r", server: (?P<value>[^,]*)",
    "request": r', request: "(?P<value>(?:[^"\\]|\\.)*)"',
    "upstream": r', upstream: "(?P<value>[^"]*)"',
    "host_header": r', host: "(?P<value>[^"]*)"',
    "referrer": r', referrer: "(?P<value>[^"]*)"',
}
_APACHE_REFERRER = r", referer: (?P<value>\S+)$"
_INTEGERS = ("pid", "tid", "connection", "client_port")
_NAMES = (
    *("time", "level", "module", "pid", "tid", "connection", "client_ip", "client_port", "code", "system_error"),
    *("message", "server", "request", "upstream", "host_header", "referrer", "raw"),
)


def read_errors(records: RecordBlock) -> Iterator[Rows | Rejected]:
    """The rows of a block, then the records that are no error log lines."""
    is_known = np.zeros(len(records), np.bool_)
    for pattern, columns_of in ((APACHE, _apache), (NGINX, _nginx)):
        if is_known.all():
            break
        found = pc.extract_regex(records.head, pattern)
        is_found = np.asarray(found.is_valid()) & ~is_known
        is_known |= is_found
        chosen = np.flatnonzero(is_found)
        if len(chosen):
            columns = columns_of(found.take(pa.array(chosen)))
            yield records.rows(OUTPUT, _batch(records, chosen, columns), chosen)
    for record in np.flatnonzero(~is_known).tolist():
        yield records.reject(OUTPUT, record, "not a line of an Apache or nginx error log")


def _batch(records: RecordBlock, chosen: Any, columns: dict[str, Any]) -> Any:
    absent = pa.nulls(len(chosen), pa.string())
    columns["message"] = records.message(columns["message"], chosen)
    columns["raw"] = pc.if_else(columns["time"].is_null(), records.raw_text(chosen), absent)
    for name in _INTEGERS:
        columns[name] = columns.get(name, absent).cast(pa.int64())
    return pa.RecordBatch.from_arrays([columns.get(name, absent) for name in _NAMES], names=list(_NAMES))


def _apache(found: Any) -> dict[str, Any]:
    chars = fixed_width(found.field("time"), 15)
    year = number(fixed_width(found.field("year"), 4), 0, 4)
    day, exists = days(year, month(chars, 0), number(chars, 4, 2))
    nanos = fraction(fixed_width(found.field("fraction"), 9), 0)
    time, is_clock = moments(day, number(chars, 7, 2), number(chars, 10, 2), number(chars, 13, 2), nanos)
    return {
        "time": timestamps(time, exists & is_clock),
        "level": found.field("level"),
        "module": _null_if_empty(found.field("module")),
        "pid": _null_if_empty(found.field("pid")),
        "tid": _null_if_empty(found.field("tid")),
        "system_error": _null_if_empty(found.field("system")),
        "client_ip": _null_if_empty(found.field("client")),
        "client_port": _null_if_empty(found.field("port")),
        "code": _null_if_empty(found.field("code")),
        "message": found.field("message"),
        "referrer": _detail(found.field("message"), _APACHE_REFERRER),
    }


def _nginx(found: Any) -> dict[str, Any]:
    chars = fixed_width(found.field("time"), 19)
    day, exists = days(number(chars, 0, 4), number(chars, 5, 2), number(chars, 8, 2))
    time, is_clock = moments(day, number(chars, 11, 2), number(chars, 14, 2), number(chars, 17, 2))
    message = found.field("message")
    return {
        "time": timestamps(time, exists & is_clock),
        "level": found.field("level"),
        "pid": found.field("pid"),
        "tid": found.field("tid"),
        "connection": _null_if_empty(found.field("connection")),
        "message": message,
        **{name: _detail(message, pattern) for name, pattern in _NGINX_DETAILS.items()},
    }


def _detail(message: Any, pattern: str) -> Any:
    return pc.struct_field(pc.extract_regex(message, pattern), "value")


def _null_if_empty(values: Any) -> Any:
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
