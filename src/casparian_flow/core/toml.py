"""Writes single values as TOML, which the standard library only reads."""

from __future__ import annotations

import json


def toml_value(value: str | bool | int | float) -> str:
    """The value as it stands after an equals sign; text in one line, whatever it holds."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
