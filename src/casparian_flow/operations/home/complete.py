"""Complete: names that a half-typed word may become, fast or not at all."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class CompleteWord(Request, frozen=True, kw_only=True):
    """The beginning of a name of one kind: job, parser, plan, tag, table, topic, source, rule, contract, key, code."""

    kind: str
    word: str = ""


class Names(Reply, frozen=True, kw_only=True):
    """What the word may become; empty when nothing is known or it would take too long."""

    names: list[str]


OPERATIONS = (
    Operation(
        "complete", CompleteWord, Names, Effect.READ, "home.complete.complete", "What a word may become.", is_local=True
    ),
)
