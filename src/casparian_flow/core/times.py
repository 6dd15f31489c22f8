"""Moments as people and programs read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product

from casparian_flow.core.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(?:\.(?P<fraction>\d{1,9}))?"
    r"(?P<zone> ?[Zz]|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_EARLIEST, _LATEST = 1970, 2261
"""Years whose moments have a number of nanoseconds that a database holds."""
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
    return _nanoseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def moments_meant(text: str) -> list[int]:
    """Every moment that a date or an RFC 3339 time can mean, the earliest first; raises UsageError for other texts.

    One, if the time says its zone. Without it is a time of UTC or of this machine's zone, where an hour may come
    twice. A date alone is the beginning of that day or its end.
    """
    if (found := _MOMENT.fullmatch(text.strip())) is None:
        raise UsageError(f"{text!r} is not a moment", fix="write 2026-03-02T10:00:00Z, or 2026-03-02 for a day")
    try:
        day = datetime.fromisoformat(found["day"])
        if not _EARLIEST < day.year < _LATEST:
            raise UsageError(f"{text!r} lies outside of the years that are kept", fix="write 2026-03-02T10:00:00Z")
        if found["minute"] is None:
            return _sorted([day, day + timedelta(days=1)])
        moment = datetime.fromisoformat(f"{found['day']}T{found['minute']}{found['second'] or ':00'}")
        nanoseconds = int((found["fraction"] or "").ljust(9, "0"))
        if (zone := found["zone"]) is None:
            return [each + nanoseconds for each in _sorted([moment])]
        zoned = datetime.fromisoformat(moment.isoformat() + ("+00:00" if zone.strip() in "Zz" else zone))
        return [_nanoseconds(zoned) + nanoseconds]
    except ValueError as exc:
        raise UsageError(f"{text!r} is not a moment", why=str(exc), fix="write 2026-03-02T10:00:00Z") from exc


def _sorted(naive: list[datetime]) -> list[int]:
    """What times without a zone are in UTC and on this machine."""
    here = {_nanoseconds(each.replace(fold=fold).astimezone(UTC)) for each, fold in product(naive, (0, 1))}
    return sorted(here | {_nanoseconds(each.replace(tzinfo=UTC)) for each in naive})


def _nanoseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
