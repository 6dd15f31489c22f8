"""Rules: globs that tag files, and may choose their parser and their table."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListRules(Request, frozen=True, kw_only=True):
    """Every rule."""


class RuleEntry(Reply, frozen=True, kw_only=True):
    """One rule; `files` carry its tag because of it."""

    id: int
    pattern: str
    tag: str
    priority: int
    parser: str | None
    topic: str | None
    size: str | None
    files: int
    added: str


class RuleList(Reply, frozen=True, kw_only=True):
    """All rules, in the order in which they are asked."""

    rules: list[RuleEntry]


class ShowRule(Request, frozen=True, kw_only=True):
    """One rule."""

    rule: int


class RuleDetail(Reply, frozen=True, kw_only=True):
    """One rule and some of the files that it tagged."""

    rule: RuleEntry
    sample: list[str]


class AddRule(Request, frozen=True, kw_only=True):
    """A glob over paths inside a source and the tag that it gives; a higher priority is asked first.

    `size` is a condition such as `>1MB` or `>=1k,<10M`; without one, files of any size.
    """

    pattern: str
    tag: str
    priority: int = 50
    parser: str | None = None
    topic: str | None = None
    size: str | None = None


class RemoveRule(Request, frozen=True, kw_only=True):
    """One rule."""

    rule: int


class RuleRemoved(Reply, frozen=True, kw_only=True):
    """The rule that is gone, and how many files lost its tag."""

    rule: int
    files: int


OPERATIONS = (
    Operation("rules.list", ListRules, RuleList, Effect.READ, "source.rules.list_", "Every rule."),
    Operation(
        "rules.show", ShowRule, RuleDetail, Effect.READ, "source.rules.show", "One rule and files that it tagged."
    ),
    Operation(
        "rules.add",
        AddRule,
        RuleDetail,
        Effect.EXECUTE,
        "source.rules.add",
        "Add a rule and tag the files known now.",
        may_be_tried=True,
    ),
    Operation(
        "rules.remove",
        RemoveRule,
        RuleRemoved,
        Effect.EXECUTE,
        "source.rules.remove",
        "Remove a rule and its tags.",
        may_be_tried=True,
    ),
)
