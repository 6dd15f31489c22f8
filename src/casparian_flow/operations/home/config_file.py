"""Changes one setting in the text of a config file and leaves every other line alone."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from casparian_flow.core.errors import ConfigError
from casparian_flow.core.toml import toml_value
from casparian_flow.settings import read_config

_SECTION = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(?:#.*)?$")


def with_setting(text: str, section: str, name: str, value: Any) -> str:
    """The text with `name = value` in that section, in place of an older line or at the section's end.

    `value` None takes the line out. Raises ConfigError when the text is written in a way that this cannot edit.
    """
    lines = text.removesuffix("\n").split("\n") if text else []
    start, end = _bounds(lines, section)
    written = [] if value is None else [f"{name} = {toml_value(value)}"]
    at = next((i for i in range(start, end) if re.match(rf"\s*{re.escape(name)}\s*=", lines[i])), None)
    if at is not None:
        lines[at : at + 1] = written
    elif written and start == 0:
        lines += [*([""] if lines else []), f"[{section}]", *written]
    elif written:
        while end > start and not lines[end - 1].strip():
            end -= 1
        lines[end:end] = written
    edited = "".join(line + "\n" for line in lines)
    _check(text, edited, section, name, value)
    return edited


def write_setting(path: Path, section: str, name: str, value: Any) -> None:
    """Put the setting into the file, or take it out if the value is None; readers see the old file or the new one."""
    read_config(path)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    edited = with_setting(text, section, name, value)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(edited)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _bounds(lines: list[str], section: str) -> tuple[int, int]:
    """The lines of the section without its heading; start is 0 when there is no such section."""
    start = 0
    for at, line in enumerate(lines):
        if found := _SECTION.match(line):
            if start:
                return start, at
            if found[1] == section:
                start = at + 1
    return start, len(lines) if start else 0


def _check(before: str, after: str, section: str, name: str, value: Any) -> None:
    """The edited text must mean what the old one meant, and the one change."""
    expected = tomllib.loads(before)
    entries = expected.setdefault(section, {})
    if value is None:
        entries.pop(name, None)
    else:
        entries[name] = value
    try:
        found = tomllib.loads(after)
    except tomllib.TOMLDecodeError:
        found = None
    if found is None or {k: v for k, v in found.items() if v} != {k: v for k, v in expected.items() if v}:
        raise ConfigError(
            f"{section}.{name} cannot be edited by this command",
            why="the config file holds it in a form other than one line per setting",
            fix="change it with a text editor: casparian config path",
        )
