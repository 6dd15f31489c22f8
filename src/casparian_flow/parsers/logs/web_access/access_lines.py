"""The fields of access log lines, taken from many lines at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.sdk import Rejected, Rows
from casparian_flow.sdk.records import RecordBlock
from casparian_flow.sdk.times import NANOSECONDS, days, fixed_width, moments, month, number, timestamps

OUTPUT = "web_access"
_LINE = (
    r"^(?:(?P<vhost>\S+) )?(?P<client>\S+) (?P<ident>\S+) (?P<user>\S+) "
    r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+\-]\d{4})\] "
    r'"(?P<request>REQUEST)" (?P<status>\d{3}|-) (?P<bytes>\d{1,18}|-)'
    r'(?P<combined> "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?: (?P<extra>.*))?$'
)
LINE = _LINE.replace("REQUEST", r'(?:[^"\\]|\\.)*')
LINE_WITH_QUOTES = _LINE.replace("REQUEST", ".*?")  # some servers write the quotes of a request as they came
REQUEST = r"^(?P<method>[!-~]+) (?P<path>[^\s?]+)(?P<mark>\??)(?P<query>\S*)(?: (?P<protocol>[A-Z]+/\d(?:\.\d)?))?$"
SECONDS = r'^"?(?P<seconds>\d{1,9}\.\d{1,6})"?(?:\s.*)?$'


def read_access(records: RecordBlock, output: str) -> Iterator[Rows | Rejected]:
    """The rows of a block, then the records that are no access log lines."""
    is_line = records.first == records.last
    fields = pc.extract_regex(records.head, LINE)
    missed = np.flatnonzero(np.asarray(fields.is_null()))
    if len(missed):
        again = pc.extract_regex(records.head.take(pa.array(missed)), LINE_WITH_QUOTES)
        place = np.arange(len(records))
        place[missed] = len(records) + np.arange(len(missed))
        fields = pa.concat_arrays([fields, again]).take(pa.array(place))
    is_line &= np.asarray(fields.is_valid())
    chosen = np.flatnonzero(is_line)
    if len(chosen):
        yield records.rows(output, _batch(records, chosen, fields.take(pa.array(chosen))), chosen)
    for record in np.flatnonzero(~is_line).tolist():
        yield records.reject(output, record, "not a line of the common or combined format")


def _batch(records: RecordBlock, chosen: Any, fields: Any) -> Any:
    vhost, client, ident, user = _who(fields)
    time, zone = _time(fields.field("time"))
    request = fields.field("request")
    parts = pc.extract_regex(request, REQUEST)
    is_malformed = pc.and_(pc.invert(parts.is_valid()), pc.not_equal(request, "-"))
    is_partial = pc.or_(is_malformed, time.is_null())
    raw = pc.if_else(is_partial, records.head.take(pa.array(chosen)), pa.scalar(None, pa.string()))
    has_query = pc.equal(_field(parts, "mark"), "?")
    has_agent = pc.not_equal(fields.field("combined"), "")
    extra = _null_if(fields.field("extra"), "")
    columns = {
        "time": time,
        "time_zone": zone,
        "client_ip": client,
        "ident": _null_if(ident, "-"),
        "user": _null_if(user, "-"),
        "method": _field(parts, "method"),
        "path": _field(parts, "path"),
        "query": pc.if_else(has_query, _field(parts, "query"), pa.scalar(None, pa.string())),
        "protocol": _null_if(_field(parts, "protocol"), ""),
        "status": _null_if(fields.field("status"), "-").cast(pa.int64()),
        "bytes": _null_if(fields.field("bytes"), "-").cast(pa.int64()),
        "referrer": _null_unless(has_agent, _null_if(fields.field("referrer"), "-")),
        "user_agent": _null_unless(has_agent, _null_if(fields.field("agent"), "-")),
        "host_header": vhost,
        "duration_ms": _duration(extra),
        "extra": extra,
        "raw": raw,
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _who(fields: Any) -> tuple[Any, Any, Any, Any]:
    """Virtual host, client, ident and user. Four words are a host and these three, or a user name of two words."""
    vhost, client = _null_if(fields.field("vhost"), ""), fields.field("client")
    ident, user = fields.field("ident"), fields.field("user")
    is_shifted = pc.fill_null(pc.and_(vhost.is_valid(), pc.equal(client, "-")), False)
    if not pc.any(is_shifted).as_py():
        return vhost, client, ident, user
    two_words = pc.binary_join_element_wise(ident, user, " ")
    return (
        pc.if_else(is_shifted, pa.scalar(None, pa.string()), vhost),
        pc.if_else(is_shifted, vhost, client),
        pc.if_else(is_shifted, client, ident),
        pc.if_else(is_shifted, two_words, user),
    )


def _time(texts: Any) -> tuple[Any, Any]:
    """`13/Jan/2016:19:31:16 +0000` in UTC, and its offset; null where there is no such time."""
    chars = fixed_width(texts, 26)
    day, exists = days(number(chars, 7, 4), month(chars, 3), number(chars, 0, 2))
    local, is_clock = moments(day, number(chars, 12, 2), number(chars, 15, 2), number(chars, 18, 2))
    offset = (number(chars, 22, 2) * 60 + number(chars, 24, 2)) * np.where(chars[:, 21] == ord("-"), -1, 1)
    return timestamps(local - offset * 60 * NANOSECONDS, exists & is_clock, "UTC"), pc.utf8_slice_codeunits(texts, 21)


def _duration(extra: Any) -> Any:
    if extra.null_count == len(extra):
        return pa.nulls(len(extra), pa.float64())
    return pc.multiply(_field(pc.extract_regex(extra, SECONDS), "seconds").cast(pa.float64()), 1000.0)


def _field(parts: Any, name: str) -> Any:
    """A group of an expression; null where the expression does not match."""
    return pc.struct_field(parts, name)


def _null_if(values: Any, text: str) -> Any:
    return pc.if_else(pc.equal(values, text), pa.scalar(None, pa.string()), values)


def _null_unless(condition: Any, values: Any) -> Any:
    return pc.if_else(condition, values, pa.scalar(None, pa.string()))
