"""Which event data fill the common columns, per channel and event id; the maps themselves are in evtx_maps.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

MAPPED = (
    "user_name",
    "target_user",
    "logon_type",
    "remote_ip",
    "remote_host",
    "process_path",
    "command_line",
    "parent_process",
    "service_name",
    "hashes",
)

Paths = Sequence[Sequence[str]]
"""Names of event data, each a path of nested names; the texts of several are joined by a backslash."""

FieldMaps = Mapping[tuple[str | None, int | None], Sequence[tuple[str, str, Paths]]]
"""By channel and event id: columns, each with the name it can be had by directly (or ``) and its paths."""

NOTHING = ("", "-")
"""What Windows writes where it has nothing to say."""


@cache
def load_maps() -> FieldMaps:
    """The maps shipped with the parser."""
    channels = json.loads(Path(__file__).with_name("evtx_maps.json").read_text(encoding="utf-8"))["channels"]
    return {
        (channel, int(event_id)): [(column, *_source(source)) for column, source in columns.items()]
        for channel, events in channels.items()
        for event_ids, columns in events.items()
        for event_id in event_ids.split()
    }


def _source(source: str | list[str]) -> tuple[str, Paths]:
    paths = [name.split("/") for name in ([source] if isinstance(source, str) else source)]
    return source if isinstance(source, str) else "", paths


def pick(body: Any, paths: Paths) -> str | None:
    """The text that the paths lead to; None where nothing but `-` and emptiness is found."""
    found = []
    for path in paths:
        value = body
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, dict):
            value = value.get("#text")
        if isinstance(value, str) and value not in NOTHING:
            found.append(value)
        elif isinstance(value, int):
            found.append(str(value))
    return "\\".join(found) or None
