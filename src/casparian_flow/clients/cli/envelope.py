"""The answer for an agent: bounded, and with everything that a file may have written marked as such."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from casparian_flow.manual.topics import AGENT_BYTES, AGENT_ROWS

MOST_TEXT = 4000
LEAST = 8
HINT = re.compile(r"casparian [a-z]+( [a-z]+)?( (--?[a-z][a-z-]*|[A-Z][A-Z|]*|\d{1,19}|@last))*")
"""A command of fixed words, placeholders and numbers; nothing that a file can write into."""


def enclose_list(schema: str, key: str, items: Iterable[Mapping[str, Any]], rest: Mapping[str, Any]) -> dict[str, Any]:
    """As many items as an agent gets; `rest` then says where to go on, and with `next` what to do."""
    kept: list[Any] = []
    size, is_cut = 0, False
    for item in items:
        shorter = _cut(item, MOST_TEXT, AGENT_ROWS)
        size += len(json.dumps(shorter))
        if kept and (size > AGENT_BYTES or len(kept) == AGENT_ROWS):
            is_cut = True
            break
        kept.append(shorter)
    is_cut = is_cut or rest.get("next_cursor") is not None
    hints = rest.get("next", [])
    told = {name: value for name, value in rest.items() if name != "next"}
    return {"schema": schema, "untrusted_data": {key: kept}, **told, "is_cut": is_cut, "hints": hints}


def enclose_record(schema: str, record: Mapping[str, Any], lines: Iterable[str]) -> dict[str, Any]:
    """The record, its longest lists and texts cut until it is small enough. `lines` are looked through for hints."""
    most_text, most_items = MOST_TEXT, AGENT_ROWS
    whole = dict(record)
    kept = _cut(whole, most_text, most_items)
    while len(json.dumps(kept)) > AGENT_BYTES and most_items > LEAST:
        most_text, most_items = max(most_text // 2, LEAST * 10), most_items // 2
        kept = _cut(whole, most_text, most_items)
    return {"schema": schema, "untrusted_data": kept, "is_cut": kept != whole, "hints": hints(lines)}


def enclose_failure(failure: Mapping[str, Any]) -> dict[str, Any]:
    """An error: its words may quote a file."""
    trusted = ("code", "exit_code", "retryable")
    said = {name: _cut(value, MOST_TEXT, LEAST) for name, value in failure.items() if name not in trusted}
    return {
        "schema": "casparian.error/1",
        **{name: failure[name] for name in trusted},
        "untrusted_data": said,
        "hints": [*hints([str(failure["fix"])]), f"casparian explain {failure['code']}"],
    }


def hints(lines: Iterable[str]) -> list[str]:
    """The commands among the lines that are made of fixed words only."""
    return list(dict.fromkeys(_commands(lines)))


def _commands(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        _, found, words = line.partition("casparian ")
        command = f"casparian {words.strip()}"
        if found and HINT.fullmatch(command):
            yield command


def _cut(value: Any, most_text: int, most_items: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= most_text else value[: most_text - 3] + "..."
    if isinstance(value, Mapping):
        return {name: _cut(each, most_text, most_items) for name, each in list(value.items())[:most_items]}
    if isinstance(value, (list, tuple)):
        return [_cut(each, most_text, most_items) for each in value[:most_items]]
    return value
