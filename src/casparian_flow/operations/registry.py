"""What an operation is: a name, a request, a reply, an effect class, and where it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
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


_DOING = "casparian_flow.operations.doing"

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
    who may ask for what, or ends the service. The reply of one that `tells_secret` is kept nowhere.

    `version_at` is where its reply names the state of what it shows; a change of that has a field `if_version` for the
    state that the asker saw.

    `done_by` names module and function in `operations.doing`, which only who performs the operation imports: an asker
    in another process needs the words alone, and they cost no library of data.
    """

    name: str
    request: type[Asked]
    reply: type[Answered]
    effect: Effect
    done_by: str
    summary: str
    is_local: bool = False
    may_be_tried: bool = False
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    is_administrative: bool = False
    tells_secret: bool = False
    version_at: str = ""

    @property
    def function(self) -> Callable[[Any, Asked], Answered]:
        """What performs it; imported when first asked for."""
        module, _, name = self.done_by.rpartition(".")
        function: Callable[[Any, Asked], Answered] = getattr(import_module(f"{_DOING}.{module}"), name)
        return function
