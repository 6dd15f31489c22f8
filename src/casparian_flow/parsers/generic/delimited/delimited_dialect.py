"""How the fields of one table are separated and quoted."""

from __future__ import annotations

from typing import NamedTuple


class Dialect(NamedTuple):
    """The grammar of one table.

    `delimiter` None means one column. `quote` doubles itself inside a quoted field; `escape` makes the next
    quote, delimiter, line end or escape character plain text. `lead` lets spaces stand before an opening quote.
    `lone_cr` says that a carriage return alone ends a record, as line feeds always do.
    """

    delimiter: str | None = ","
    quote: str | None = '"'
    escape: str | None = None
    lead: bool = False
    lone_cr: bool = True
