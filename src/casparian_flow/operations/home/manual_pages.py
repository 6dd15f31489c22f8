"""Pages of the manual, for every front end."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ReadTopic(Request, frozen=True, kw_only=True):
    """One topic, by its name."""

    topic: str


class Page(Reply, frozen=True, kw_only=True):
    """One topic as Markdown."""

    topic: str
    text: str


OPERATIONS = (
    Operation(
        "help.topic", ReadTopic, Page, Effect.READ, "home.manual_pages.show", "One page of the manual.", is_local=True
    ),
)
