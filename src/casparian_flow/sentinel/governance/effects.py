"""What the effect of an applied proposal is given, and what it says it did.

There is one module `effects_<kind>` for each kind of change, with one or two `Effect`s; only `governance.applying`
performs them, and imports one when it does. A new kind is one such module and one line there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from casparian_flow.core.proofs import Impact, Verdicts
from casparian_flow.core.proposal_bodies import Body
from casparian_flow.core.proposals import Kind
from casparian_flow.store.governed import Ground

if TYPE_CHECKING:
    from casparian_flow.sentinel.planning.undone_files import UndoneFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A proposal as its effect sees it: body, verdicts and impact were signed, `wish` is why it was proposed."""

    proposal: int
    kind: Kind
    table: str | None
    subject: str
    base_digest: str
    body: Body
    verdicts: Verdicts | None
    impact: Impact | None
    wish: str
    ground: Ground
    is_by_policy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Effected:
    """What came of it. `plans` are runs that are in the store now, to be handed to the execution afterwards.

    `unread` files would have been read again, but no path carries the bytes of any of them any more; `undone` ones
    would be too, had no person reverted what they brought.
    """

    contract: int | None = None
    plans: tuple[int, ...] = ()
    unread: int = 0
    undone: tuple[UndoneFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """How one kind of change takes effect.

    `base` gives the digest of what is in force now where the change would change it; it is compared with that of the
    proposal before anything else happens. `perform` changes the database and nothing else, inside the transaction that
    it is given: no files, no sinks, no locks, no other transaction.
    """

    base: Callable[[Connection, Change], str]
    perform: Callable[[Connection, Change], Effected]
