"""Structured data of RFC 5424 as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa

_ELEMENT = re.compile(r'\[([^\s="\]]+)((?: [^\s="\]]+="(?:[^"\\]|\\.)*")*)\]')
_PARAMETER = re.compile(r' ([^\s="\]]+)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r'\\(["\\\]])')


def as_json(texts: Any) -> Any:
    """Each text as a JSON object `{element: {parameter: value}}`, null for `-`; equal texts are read once.

    A repeated parameter, and a repeated element, becomes an array of its values.
    """
    encoded = texts.dictionary_encode()
    read = [None if text == "-" else _read(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(read, pa.string()).take(encoded.indices)


def _read(text: str) -> str:
    elements: list[tuple[str, Any]] = []
    for name, parameters in _ELEMENT.findall(text):
        pairs = [(key, _ESCAPE.sub(r"\1", value)) for key, value in _PARAMETER.findall(parameters)]
        elements.append((name, _collected(pairs)))
    return json.dumps(_collected(elements), ensure_ascii=False)


def _collected(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: found[0] if len(found) == 1 else found for key, found in values.items()}
