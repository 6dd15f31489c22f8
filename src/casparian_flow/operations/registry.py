"""What an operation is: a name, a request, a reply, an effect class and a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec


class Effect(StrEnum):
    """What an operation may do, and so who may ask for it."""

    READ = "read"
    DRAFT = "draft"
    EXECUTE = "execute"
    APPROVE = "approve"


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of every request."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The base of every reply: plain values that every front end shows alike."""


Asked = TypeVar("Asked", bound=Request)
Answered = TypeVar("Answered", bound=Reply)


@dataclass(frozen=True, slots=True)
class Operation(Generic[Asked, Answered]):
    """One verb of the product.

    A `read` function gets an `operations.context.Reading`; every other gets an `operations.context.Acting`, which
    holds the home's lock. One that `is_local` gets an `operations.local.Local` instead: it works on the home's folder
    even while its database or its settings are broken.

    One that `may_be_tried` changes rows of the control database and nothing else, so that all it did can be taken back.

    `reads` and `writes` name the fields of the request that name files of the machine, beside the home and the sources
    it knows: who may only read what the home holds may not ask with one of them. One that `is_administrative` decides
    who may ask for what, or ends the service.
    """

    name: str
    request: type[Asked]
    reply: type[Answered]
    effect: Effect
    function: Callable[[Any, Asked], Answered]
    summary: str
    is_local: bool = False
    may_be_tried: bool = False
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    is_administrative: bool = False
