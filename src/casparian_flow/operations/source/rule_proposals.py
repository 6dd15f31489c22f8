"""Rules that could be added: globs over files that nothing tags, never applied by themselves."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ProposeRules(Request, frozen=True, kw_only=True):
    """Which files the proposals should cover, as paths or globs; none means every file without a tag."""

    files: tuple[str, ...] = ()


class ProposedRule(Reply, frozen=True, kw_only=True):
    """One rule that could be added by its `command`; null where the glob cannot be typed.

    It covers `files` of the content that most of them have, and `others` besides; `precision` is the share of the
    first.
    """

    pattern: str
    tag: str
    content: str
    files: int
    others: int
    precision: float
    examples: list[str]
    command: str | None


class RuleProposals(Reply, frozen=True, kw_only=True):
    """The proposals, the most useful first, and how many files without a tag they were made from."""

    untagged: int
    proposals: list[ProposedRule]


OPERATIONS = (
    Operation(
        "rules.propose",
        ProposeRules,
        RuleProposals,
        Effect.READ,
        "source.rule_proposals.propose_rules",
        "Globs for untagged files.",
    ),
)
