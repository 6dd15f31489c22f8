"""What rules do: whether one fits a path and why, and what applying all of them again changes."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class TestRule(Request, frozen=True, kw_only=True):
    """A rule by its number, or a glob; and a path, known or not. Without one, every known file.

    `size` is that of the file, as people write it, where the path is not known.
    """

    __test__ = False
    rule: str
    path: str | None = None
    size: str | None = None


class RuleTested(Reply, frozen=True, kw_only=True):
    """The answer. `matches` is null where no path was given; `files` counts the known files that fit.

    `others` are the further rules that fit the path.
    """

    pattern: str
    tag: str | None
    matches: bool | None
    why: list[str]
    others: list[str]
    files: int
    sample: list[str]


class ApplyRules(Request, frozen=True, kw_only=True):
    """Every rule over every known file; with `dry_run` nothing is changed."""

    dry_run: bool = False


class RulesApplied(Reply, frozen=True, kw_only=True):
    """Tags that files got and lost through rules, some of them as `path: +tag` or `path: -tag`."""

    files: int
    given: int
    taken: int
    sample: list[str]
    is_dry_run: bool


OPERATIONS = (
    Operation(
        "rules.apply", ApplyRules, RulesApplied, Effect.EXECUTE, "source.rule_effects.apply", "Apply every rule again."
    ),
    Operation(
        "rules.test",
        TestRule,
        RuleTested,
        Effect.READ,
        "source.rule_effects.test",
        "Whether a rule fits a path, and why.",
    ),
)
