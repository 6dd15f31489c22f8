"""The fields of syslog lines, taken from many lines at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from syslog_elements import as_json
from syslog_times import YearRule, bsd_times, iso_times

from casparian_flow.sdk import Rejected, Rows
from casparian_flow.sdk.records import RecordBlock
from casparian_flow.sdk.times import timestamps

OUTPUT = "syslog"
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp"),
    *("audit", "alert", "clock", *(f"local{number}" for number in range(8))),
)
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")

_ISO = r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?P<zone>Z|[+\-]\d\d:?\d\d)?"
RFC5424 = (
    rf"^<(?P<pri>\d{{1,3}})>[1-9]\d? (?:-|{_ISO}) (?P<host>\S+) (?P<process>\S+) (?P<pid>\S+) (?P<msgid>\S+) "
    r'(?P<data>-|(?:\[[^\s="\]]+(?: [^\s="\]]+="(?:[^"\\]|\\.)*")*\])+)(?: \x{FEFF}?(?P<message>.*))?$'
)
_SENDER = (
    r"(?:(?:(?P<host>\S+) )?(?P<process>[^\s:\[\]<>]+)(?:\[(?P<pid>[^\]\s]*)\])?"
    r"(?: <(?P<level>[A-Za-z]+)>)?(?:: ?| (?P<context>\[[^\]]*\]: ))(?P<message>.*)"
    r"|(?P<bare_host>\S+)(?: (?P<bare>.*))?)$"
)
BSD = (
    r"^(?:<(?P<pri>\d{1,3})>)?"
    r"(?P<time>[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: \d{4})?):? " + _SENDER
)
ISO = rf"^(?:<(?P<pri>\d{{1,3}})>)?{_ISO}:? " + _SENDER
_NAMES = (
    *("time", "time_zone", "time_assumed_year", "hostname", "process", "pid", "msgid"),
    *("facility", "severity", "structured_data", "message", "raw"),
)
_NULL = pa.scalar(None, pa.string())


def read_lines(records: RecordBlock, rule: YearRule) -> Iterator[Rows | Rejected]:
    """The rows of a block, then the records that are no syslog lines."""
    is_known = np.zeros(len(records), np.bool_)
    for pattern in (BSD, RFC5424, ISO):
        rest = np.flatnonzero(~is_known)
        if not len(rest):
            break
        found = pc.extract_regex(records.head.take(pa.array(rest)), pattern)
        at = np.flatnonzero(np.asarray(found.is_valid()))
        chosen = rest[at]
        is_known[chosen] = True
        if len(chosen):
            yield records.rows(OUTPUT, _batch(records, chosen, found.take(pa.array(at)), pattern, rule), chosen)
    for record in np.flatnonzero(~is_known).tolist():
        yield records.reject(OUTPUT, record, "not a syslog line")


def _batch(records: RecordBlock, chosen: Any, found: Any, pattern: str, rule: YearRule) -> Any:
    columns: dict[str, Any] = dict.fromkeys(_NAMES, pa.nulls(len(chosen), pa.string()))
    columns |= _times(found, pattern, rule)
    priority, is_priority = _priority(found.field("pri"))
    columns["facility"] = _named(FACILITIES, priority // 8, is_priority)
    columns["severity"] = _named(SEVERITIES, priority % 8, is_priority)
    columns |= _structured(found) if pattern is RFC5424 else _sender(found, columns["severity"])
    pid = _null_if(columns["pid"], "")
    is_pid = pc.fill_null(pc.match_substring_regex(pid, r"^\d{1,18}$"), True)
    columns["pid"] = pc.if_else(is_pid, pid, _NULL).cast(pa.int64())
    is_whole = pc.and_(is_pid, pc.or_(columns["time"].is_valid(), columns.pop("is_timeless")))
    is_whole = pc.and_(is_whole, pc.or_(pa.array(is_priority), pc.equal(found.field("pri"), "")))
    columns["raw"] = pc.if_else(is_whole, _NULL, records.raw_text(chosen))
    columns["message"] = records.message(columns["message"], chosen)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _times(found: Any, pattern: str, rule: YearRule) -> dict[str, Any]:
    texts = found.field("time")
    is_timeless = pc.equal(texts, "")
    if pattern is BSD:
        time, exists, lacks_year = bsd_times(texts, rule)
        return {
            "time": timestamps(time, exists),
            "time_assumed_year": pa.array(lacks_year),
            "is_timeless": is_timeless,
        }
    zone = _null_if(found.field("zone"), "")
    time, exists = iso_times(texts, found.field("zone"))
    return {
        "time": timestamps(time, exists),
        "time_zone": zone,
        "time_assumed_year": pa.array(np.zeros(len(found), np.bool_)),
        "is_timeless": is_timeless,
    }


def _sender(found: Any, severity: Any) -> dict[str, Any]:
    """Host, process, pid and text; a line without `process:` is all text behind its host."""
    is_bare = pc.equal(found.field("process"), "")
    level = _null_if(pc.ascii_lower(found.field("level")), "")
    text = pc.binary_join_element_wise(found.field("context"), found.field("message"), "")
    return {
        "hostname": _null_if(pc.if_else(is_bare, found.field("bare_host"), found.field("host")), ""),
        "process": pc.if_else(is_bare, _NULL, found.field("process")),
        "pid": found.field("pid"),
        "severity": pc.coalesce(severity, level),
        "message": pc.if_else(is_bare, found.field("bare"), text),
    }


def _structured(found: Any) -> dict[str, Any]:
    data = found.field("data")
    return {
        "hostname": _null_if(found.field("host"), "-"),
        "process": _null_if(found.field("process"), "-"),
        "pid": _null_if(found.field("pid"), "-"),
        "msgid": _null_if(found.field("msgid"), "-"),
        "structured_data": as_json(data),
        "message": found.field("message"),
    }


def _priority(texts: Any) -> tuple[Any, Any]:
    numbers = np.asarray(pc.fill_null(_null_if(texts, "").cast(pa.int64()), -1))
    return numbers, (numbers >= 0) & (numbers < 8 * len(FACILITIES))


def _named(names: tuple[str, ...], numbers: Any, is_known: Any) -> Any:
    return pa.array(names).take(pa.array(np.where(is_known, numbers, 0), mask=~is_known))


def _null_if(values: Any, text: str) -> Any:
    return pc.if_else(pc.equal(values, text), _NULL, values)
