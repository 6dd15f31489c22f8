"""How much a request may ask for: the bounds that the API's document states, and refuses what lies outside of."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

PageSize = Annotated[int, Meta(ge=1, le=10_000)]
"""Items of one page of a list."""
RowCount = Annotated[int, Meta(ge=0)]
LineCount = Annotated[int, Meta(ge=1, le=100_000)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Share = Annotated[float, Meta(ge=0, le=1)]
"""A part of a whole."""
SlotCount = Annotated[int, Meta(ge=1, le=1024)]
