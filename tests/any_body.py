"""Hypothesis strategies for messages, made from the bodies themselves: a new field is tried without a new line here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, NewType, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from casparian_flow.core.outputs import SinkMode, SinkTarget
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import FROM_SENTINEL, FROM_WORKER, Body
from casparian_flow.protocol.codec import Message
from casparian_flow.protocol.opcodes import Opcode

LARGEST = (1 << 63) - 1
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NUMBERS = st.integers(-LARGEST - 1, LARGEST)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TARGETS = st.lists(
    st.builds(SinkTarget, TEXT, st.sampled_from(SinkMode)), min_size=1, max_size=3, unique_by=lambda target: target.uri
).map(tuple)
ROUTES = st.builds(Routes, default=TARGETS, topics=st.dictionaries(TEXT, TARGETS, max_size=2))


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as a message may have it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _bounded(inner[0], inner[1])
    if isinstance(kind, NewType):
        return of(kind.__supertype__)
    if origin in (Union, UnionType):
        return st.one_of([of(each) for each in inner])
    if origin is list:
        return st.lists(of(inner[0]), max_size=2)
    if origin is tuple and ... not in inner:
        return st.tuples(*map(of, inner))
    if origin is tuple:
        return st.lists(of(inner[0]), max_size=2).map(tuple)
    if origin in (dict, Mapping):
        return st.dictionaries(of(inner[0]), of(inner[1]), max_size=2)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return _of_fields(kind)


def _bounded(kind: Any, bounds: msgspec.Meta) -> st.SearchStrategy[Any]:
    if kind is int:
        return st.integers(
            -LARGEST - 1 if bounds.ge is None else bounds.ge, LARGEST if bounds.le is None else bounds.le
        )
    if kind is str and bounds.pattern is not None:
        return st.from_regex(bounds.pattern, fullmatch=True)
    if get_origin(kind) is list:
        return st.lists(of(get_args(kind)[0]), min_size=bounds.min_length or 0, max_size=2)
    return of(kind)


def _of_fields(kind: type) -> st.SearchStrategy[Any]:
    assert issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{name: of(hint) for name, hint in hints.items() if not name.startswith("__")})


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: NUMBERS,
    str: TEXT,
    bool: st.booleans(),
    bytes: st.binary(max_size=12),
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
    Any: ANY_JSON,
    Routes: ROUTES,
}


def messages(bodies: Mapping[Opcode, type[Body]]) -> st.SearchStrategy[Message]:
    """Every kind of message of one sender."""
    return st.one_of(
        [
            st.builds(
                Message,
                opcode=st.just(opcode),
                session=st.from_regex("[!-~]{1,64}", fullmatch=True),
                seq=st.integers(1, LARGEST),
                job=st.integers(0, LARGEST),
                attempt=st.integers(0, LARGEST),
                body=of(body),
            )
            for opcode, body in bodies.items()
        ]
    )


OF_WORKER = messages(FROM_WORKER)
OF_SENTINEL = messages(FROM_SENTINEL)
