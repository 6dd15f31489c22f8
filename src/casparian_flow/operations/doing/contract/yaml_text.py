"""YAML that anybody wrote, as plain values, in bounded memory and time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from casparian_flow.core.errors import UsageError

MAX_BYTES = 4 << 20
MAX_NODES = 400_000
MAX_DEPTH = 40

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_yaml(path: Path) -> object:
    """The one document of a file; raises UsageError for what cannot be read, and for what only wants to be large.

    Anchors are refused: with them a small text stands for as much as it likes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise UsageError("the file cannot be read", where=str(path), why=exc.strerror or str(exc)) from exc
    if len(data) > MAX_BYTES:
        raise UsageError(f"the file is larger than {MAX_BYTES >> 20} MiB", where=str(path))
    try:
        text = data.decode()
        _check(text)
        return yaml.load(text, _Loader)  # noqa: S506 - the safe loader, in the form that is compiled
    except UsageError as exc:
        raise UsageError(exc.message, where=str(path), why=exc.why, fix=exc.fix) from exc
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as exc:
        raise UsageError("the file is not YAML", where=str(path), why=" ".join(str(exc).split())[:300]) from exc


def yaml_text(value: object) -> str:
    """The value as YAML, with its keys in their order."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def _check(text: str) -> None:
    """Look at the text event by event, which takes no more memory than it is deep."""
    depth, nodes = 0, 0
    keys: list[set[str] | None] = []
    is_key: list[bool] = []
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise UsageError("the file uses anchors of YAML", fix="write out what *name stands for")
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            keys.pop()
            is_key.pop()
        elif isinstance(event, yaml.NodeEvent):
            nodes += 1
            if nodes > MAX_NODES:
                raise UsageError(f"the file has more than {MAX_NODES:,} values")
            if keys and keys[-1] is not None:
                if is_key[-1]:
                    _take_key(keys[-1], event)
                is_key[-1] = not is_key[-1]
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise UsageError(f"the file nests deeper than {MAX_DEPTH}")
                keys.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
                is_key.append(True)


def _take_key(known: set[str], event: yaml.NodeEvent) -> None:
    if not isinstance(event, yaml.ScalarEvent):
        raise UsageError("a name in the file is a list or a mapping")
    if event.value in known:
        raise UsageError(f"the name {event.value[:60]!r} is there twice in one mapping")
    known.add(event.value)
