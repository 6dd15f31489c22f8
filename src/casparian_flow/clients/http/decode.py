"""Makes an operation's request out of a body or a query, or says which field is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec

from casparian_flow.clients.http.problems import HttpRefused
from casparian_flow.operations.registry import Effect, Operation, Request

AnyOperation = Operation[Any, Any]
SCALARS = (str, int, float, bool)
MOST_PARAMETERS = 200
LARGEST = 2**63 - 1
AT = re.compile(r" - at `(?P<path>.+)`$")
NULL = type(None)


def from_body(operation: AnyOperation, body: bytes) -> Request:
    """The request that a body holds; no body at all is an empty object."""
    try:
        request: Request = msgspec.json.decode(body or b"{}", type=operation.request)
    except msgspec.ValidationError as exc:
        raise _misfit(exc) from exc
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise HttpRefused(400, "the body is not JSON", where="body", why=str(exc)) from exc
    return _sound(request)


def from_query(operation: AnyOperation, query: bytes) -> Request:
    """The request that query parameters make; a field that holds several values is repeated."""
    known = query_fields(operation)
    words = {field.encode_name for field in msgspec.structs.fields(operation.request) if _takes_any_text(field.type)}
    values: dict[str, Any] = {}
    for name, value in _pairs(query):
        if name not in known:
            raise HttpRefused(422, f"there is no parameter {name!r}", where=name, why=f"there are {', '.join(known)}")
        if value.casefold() == "null" and name not in words:  # the lax conversion would take it for nothing
            raise HttpRefused(422, "a field of the request does not fit", where=name, why="what is null is left out")
        if known[name]:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise HttpRefused(422, f"the parameter {name} stands there twice", where=name)
        else:
            values[name] = value
    try:
        request: Request = msgspec.convert(values, operation.request, strict=False)
    except msgspec.ValidationError as exc:
        raise _misfit(exc) from exc
    return _sound(request)


def query_fields(operation: AnyOperation) -> dict[str, bool]:
    """The request's fields that a query may give, and whether each may be repeated.

    Not those that make the operation write a file: asking with GET changes nothing.
    """
    fields = msgspec.structs.fields(operation.request)
    return {field.encode_name: _is_many(field.type) for field in fields if field.name not in operation.writes}


def may_be_got(operation: AnyOperation) -> bool:
    """Whether the operation can be asked with GET: it reads, and a query can say all that it must be told."""
    if operation.effect is not Effect.READ:
        return False
    fields = msgspec.structs.fields(operation.request)
    if any(field.required and field.name in operation.writes for field in fields):
        return False
    return all(_is_flat(field.type) for field in fields)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as exc:
        raise HttpRefused(400, "the query cannot be read", where="query", why=str(exc)) from exc


def _misfit(error: msgspec.ValidationError) -> HttpRefused:
    text = str(error)
    found = AT.search(text)
    where = found["path"].removeprefix("$.") if found else ""
    return HttpRefused(422, "a field of the request does not fit", where=where, why=AT.sub("", text))


def _sound(request: Request) -> Request:
    """The request; refused if it holds what no file name, no word and no column of ours can hold."""
    for path, value in _leaves(msgspec.to_builtins(request), ""):
        if isinstance(value, str) and "\0" in value:
            raise HttpRefused(422, "a field of the request does not fit", where=path, why="it holds a NUL character")
        if isinstance(value, int) and abs(value) > LARGEST:
            raise HttpRefused(422, "a field of the request does not fit", where=path, why="the number is too large")
    return request


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{path}.{name}".lstrip("."), name
            yield from _leaves(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{at}]")
    else:
        yield path, value


def _is_flat(kind: Any) -> bool:
    kind = _bare(kind)
    if get_origin(kind) is tuple:
        return all(_is_flat(each) for each in get_args(kind) if each is not Ellipsis)
    return isinstance(kind, type) and (issubclass(kind, Enum) or kind in SCALARS)


def _takes_any_text(kind: Any) -> bool:
    kind = _bare(kind)
    return any(map(_takes_any_text, get_args(kind))) if get_origin(kind) is tuple else kind is str


def _is_many(kind: Any) -> bool:
    return get_origin(_bare(kind)) is tuple


def _bare(kind: Any) -> Any:
    """The type without its constraints and without null."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        kinds = [each for each in get_args(kind) if each is not NULL]
        return _bare(kinds[0]) if len(kinds) == 1 else kind
    return kind
