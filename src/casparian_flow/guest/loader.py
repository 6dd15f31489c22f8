"""Finds the entry point of a parser: every form in which a parser may be written becomes one function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from casparian_flow.guest.problems import BadYield, NotAParser
from casparian_flow.sdk import BasePlugin, Context, FileEvent, PluginMetadata, Rejected, Rows, Verdict

Emit = Callable[[Any], None]
_WHICH_SPANS = 'which spans to read, as rereads="spans" asks'
Entry = Callable[[Path, Context, Emit], None]
"""Parses one file and gives every item to the third argument, as early as it is there."""


def load(module: ModuleType, name: str, config: Mapping[str, Any]) -> Entry:
    """The entry point of an imported parser; raises NotAParser if it has none, and what making its handler raises."""
    default = _default_output(module, name)
    needs_context = _rereads_spans(module)
    if isinstance(handler_class := getattr(module, "Handler", None), type):
        return _handler_entry(handler_class, config, default, needs_context=needs_context)
    if callable(parse := getattr(module, "parse", None)):
        if needs_context and not _accepts(parse, 2):
            raise NotAParser(f"`parse(path)` is not told {_WHICH_SPANS}: define `parse(path, context)`")
        return _function_entry(parse, getattr(module, "configure", None), config, default)
    raise NotAParser("no entry point: define `parse(path)` or a class `Handler(BasePlugin)`")


def _default_output(module: ModuleType, name: str) -> str:
    """The output of data that comes without one: the manifest's topic, or its only output, or the parser's name."""
    manifest = getattr(module, "MANIFEST", None)
    if not isinstance(manifest, PluginMetadata):
        return name
    return manifest.topic or (next(iter(manifest.outputs)) if len(manifest.outputs) == 1 else name)


def _rereads_spans(module: ModuleType) -> bool:
    manifest = getattr(module, "MANIFEST", None)
    return isinstance(manifest, PluginMetadata) and manifest.rereads == "spans"


def _function_entry(parse: Any, configure: Any, config: Mapping[str, Any], default: str) -> Entry:
    takes_context = _accepts(parse, 2)
    configured = False

    def entry(path: Path, context: Context, emit: Emit) -> None:
        nonlocal configured
        if configure is not None and not configured:
            configure(context, config)
            configured = True
        for item in _items(parse(path, context) if takes_context else parse(path), default):
            emit(item)

    return entry


def _handler_entry(handler_class: type, config: Mapping[str, Any], default: str, *, needs_context: bool) -> Entry:
    handler: Any = handler_class()
    execute = getattr(handler, "execute", None)
    if needs_context and callable(execute) and not _accepts(execute, 2):
        raise NotAParser(f"`execute(self, path)` is not told {_WHICH_SPANS}: define `execute(self, path, context)`")
    run = _handler_call(handler)
    configured = False

    def entry(path: Path, context: Context, emit: Emit) -> None:
        nonlocal configured
        if isinstance(handler, BasePlugin):
            handler._published = _Outlet(emit)
        if hasattr(handler, "configure") and not configured:
            handler.configure(context, config)
            configured = True
        for item in _items(run(path, context), default):
            emit(item)

    return entry


def _handler_call(handler: Any) -> Callable[[Path, Context], Any]:
    execute, consume = getattr(handler, "execute", None), getattr(handler, "consume", None)
    if callable(execute):
        return execute if _accepts(execute, 2) else lambda path, context: execute(path)
    if callable(consume):
        return lambda path, context: consume(FileEvent(path, context))
    raise NotAParser("class Handler has no entry point: define `execute(self, path)` or `consume(self, event)`")


class _Outlet(list[Any]):
    """Stands in for the list of what a plugin published: passes each item on at once instead of keeping it."""

    def __init__(self, emit: Emit) -> None:
        super().__init__()
        self._emit = emit

    def append(self, item: Any) -> None:
        self._emit(item)


def _accepts(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def _items(result: Any, default: str) -> Iterator[Any]:
    """The items of what an entry point returned: nothing, one item, data without a name, or many of these."""
    if result is None:
        return
    if _is_item(result):
        yield result
    elif _is_data(result):
        yield default, result
    elif hasattr(result, "__iter__") and not isinstance(result, (str, bytes, tuple)):
        for item in result:
            if item is not None:
                yield (default, item) if not _is_item(item) and _is_data(item) else item
    else:
        raise BadYield(f"a parser yields or returns (output, data) pairs, not a {type(result).__name__}")


def _is_item(value: Any) -> bool:
    pair = isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)
    return pair or isinstance(value, (Rows, Rejected, Verdict))


def _is_data(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], Mapping)
    frame = hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")
    return frame or isinstance(value, Mapping) or (hasattr(value, "iloc") and hasattr(value, "columns"))
