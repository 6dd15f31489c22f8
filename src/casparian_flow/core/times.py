"""Moments as people and programs read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from casparian_flow.core.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def rfc3339(at_ns: int) -> str:
    """A moment in UTC, with as many digits of a second as it has; every 64-bit value has one."""
    seconds, nanoseconds = divmod(at_ns, 1_000_000_000)
    whole = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{nanoseconds:09d}".rstrip("0").rstrip(".") + "Z" if nanoseconds else f"{whole}Z"


def parse_span(text: str) -> int:
    """The seconds that `90s`, `15m`, `1h` or `7d` are; raises UsageError."""
    if (span := re.fullmatch(r"([0-9]{1,9})([smhdw])", text.strip())) is None:
        raise UsageError(f"{text!r} is not a span of time", fix="write 90s, 15m, 1h or 7d")
    return int(span[1]) * _UNITS[span[2]]


def parse_since(text: str, now_ns: int) -> int:
    """The moment that `90m`, `24h`, `7d`, a date or a time names; without a zone a time is UTC."""
    if ago := re.fullmatch(r"([0-9]{1,9})([smhdw])", text.strip()):
        return now_ns - int(ago[1]) * _UNITS[ago[2]] * 1_000_000_000
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise UsageError(f"{text!r} is not a moment", fix="write 24h, 7d, 2026-03-02 or 2026-03-02T10:00:00Z") from exc
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
