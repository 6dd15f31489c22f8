"""The strict form of a type: the same shape, but unknown fields are refused, and every number and length has a bound.

The nouns of `core` are plain dataclasses that allow whatever Python does. What a peer sends must not: a number that no
database takes, or a field that nobody knows, has to be found where the message is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, NewType, Union, get_args, get_origin, get_type_hints

import msgspec

LARGEST_INTEGER = (1 << 63) - 1
LONGEST_TEXT = 1 << 20
MOST_ITEMS = 100_000

_INTEGER = Annotated[int, msgspec.Meta(ge=-LARGEST_INTEGER - 1, le=LARGEST_INTEGER)]
_TEXT = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
_ITEMS = msgspec.Meta(max_length=MOST_ITEMS)


def strict(kind: Any) -> Any:
    """The strict form of any type that a message has. A bound of its own stays as it is."""
    if get_origin(kind) is Annotated:
        inner, *bounds = get_args(kind)
        return Annotated[(_parts(inner), *bounds)]
    if kind is int:
        return _INTEGER
    if kind is str:
        return _TEXT
    if get_origin(kind) in (list, tuple, dict, Mapping) and not _is_fixed(kind):
        return Annotated[_parts(kind), _ITEMS]
    return _parts(kind)


def _is_fixed(kind: Any) -> bool:
    """Whether it is a tuple of so many parts, each of its own kind: that has one length anyway."""
    return get_origin(kind) is tuple and ... not in get_args(kind)


def _parts(kind: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, NewType):
        return strict(kind.__supertype__)
    if origin in (Union, UnionType):
        return Union[tuple(strict(each) for each in inner)]  # noqa: UP007 - made of a tuple
    if origin is list:
        return list[strict(inner[0])]  # type: ignore[misc]
    if origin is tuple:
        return tuple[tuple(each if each is ... else strict(each) for each in inner)]  # type: ignore[misc]
    if origin in (dict, Mapping):
        return dict[strict(inner[0]), strict(inner[1])]  # type: ignore[misc]
    if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)):
        return _strict_struct(kind)
    return kind


@cache
def _strict_struct(kind: type) -> type[msgspec.Struct]:
    tags: dict[str, Any] = {}
    if issubclass(kind, msgspec.Struct):
        tags = {"tag": kind.__struct_config__.tag, "tag_field": kind.__struct_config__.tag_field}
        needed = {field.name for field in msgspec.structs.fields(kind) if field.required}
    else:
        nothing = dataclasses.MISSING
        needed = {
            field.name
            for field in dataclasses.fields(kind)  # type: ignore[arg-type]
            if field.default is nothing and field.default_factory is nothing
        }
    fields: list[Any] = [
        (name, strict(hint)) if name in needed else (name, strict(hint), None)
        for name, hint in get_type_hints(kind, include_extras=True).items()
        if not name.startswith("__")
    ]
    return msgspec.defstruct(kind.__name__, fields, forbid_unknown_fields=True, kw_only=True, **tags)
