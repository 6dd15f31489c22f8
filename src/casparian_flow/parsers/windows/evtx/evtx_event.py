"""One event's JSON to values: the System element in two halves, and the payload with repeated names kept."""

from __future__ import annotations

import json
from typing import Any

import orjson

HEAD = (
    "provider",
    "provider_guid",
    "event_id",
    "qualifiers",
    "version",
    "level",
    "level_name",
    "task",
    "opcode",
    "keywords",
)
"""Columns that follow from the part of System before the time: the same for all events of a kind."""

TAIL = ("activity_id", "related_activity_id", "process_id", "thread_id", "channel", "computer", "user_sid")
"""Columns that follow from the part after the record id: few combinations in one log."""

LEVELS = {0: "LogAlways", 1: "Critical", 2: "Error", 3: "Warning", 4: "Information", 5: "Verbose"}


def head_of(system: dict[str, Any]) -> tuple[Any, ...]:
    """The values of `HEAD`, whatever shape the elements have; what is absent or no number is None."""
    provider, event_id = attributes(system, "Provider"), system.get("EventID")
    level = integer(system.get("Level"))
    return (
        text_of(provider.get("Name")),
        guid(provider.get("Guid")),
        integer(event_id),
        integer(attributes(system, "EventID").get("Qualifiers")),
        integer(system.get("Version")),
        level,
        LEVELS.get(level) if level is not None else None,
        integer(system.get("Task")),
        integer(system.get("Opcode")),
        text_of(system.get("Keywords")),
    )


def tail_of(system: dict[str, Any]) -> tuple[Any, ...]:
    """The values of `TAIL`, in the same spirit."""
    correlation, execution = attributes(system, "Correlation"), attributes(system, "Execution")
    return (
        guid(correlation.get("ActivityID")),
        guid(correlation.get("RelatedActivityID")),
        integer(execution.get("ProcessID")),
        integer(execution.get("ThreadID")),
        text_of(system.get("Channel")),
        text_of(system.get("Computer")),
        text_of(attributes(system, "Security").get("UserID")),
    )


def attributes(parent: dict[str, Any], name: str) -> dict[str, Any]:
    """The attributes of a child element; empty where it has none or is no element."""
    child = parent.get(name)
    found = child.get("#attributes") if isinstance(child, dict) else None
    return found if isinstance(found, dict) else {}


def integer(value: Any) -> int | None:
    """A number that may come as a number, as decimal or `0x` text, or as an element around one of these."""
    if isinstance(value, dict):
        value = value.get("#text")
    if isinstance(value, str):
        try:
            value = int(value, 16 if value[:2] in ("0x", "0X") else 10)
        except ValueError:
            return None
    return value if type(value) is int and -(1 << 63) <= value < 1 << 63 else None


def text_of(value: Any) -> str | None:
    """A value as text; an element stands for its text, a number for its digits."""
    if isinstance(value, dict):
        value = value.get("#text")
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def guid(value: Any) -> str | None:
    """A GUID without its braces, so that both spellings compare equal."""
    text = text_of(value)
    return text.strip("{}") if text is not None else None


def count_names(value: Any) -> int:
    """How many names the objects inside `value` have together."""
    if isinstance(value, dict):
        return len(value) + sum(map(count_names, value.values()))
    return sum(map(count_names, value)) if isinstance(value, list) else 0


def loads_with_repeats(text: str) -> tuple[Any, bool]:
    """The JSON value, with every object that repeats a name as a list of `{"name", "value"}` in order."""
    repeats = False

    def keep(pairs: list[tuple[str, Any]]) -> Any:
        nonlocal repeats
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        repeats = True
        return [{"name": name, "value": value} for name, value in pairs]

    value = json.loads(text, object_pairs_hook=keep)
    return value, repeats
