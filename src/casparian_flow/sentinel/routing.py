"""Which parser reads a file: asked for, by tag rule, or by content; the choice explains itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from casparian_flow.core.artifacts import ParserArtifact, ParserOrigin, ParserStatus
from casparian_flow.core.tables import table_from_output, table_of_file
from casparian_flow.core.tags import TagRule, matches, rules_for
from casparian_flow.publish.discover import FoundParser
from casparian_flow.publish.manifest import Manifest

OPEN_TO_NAME = {"text": frozenset({"delimited", "jsonl", "json"}), "json": frozenset({"jsonl"})}
"""Kinds of content that damage makes of others: of these, the file's name may say which it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A parser as the planner sees it: its artifact, its id in the store and what its manifest says."""

    id: int
    artifact: ParserArtifact
    content: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    tables: str = "topic"
    outputs: tuple[str, ...] = ()
    """The outputs it declares."""

    def table_of(self, output: str, base: str) -> str:
        """The table of one of its outputs, for a file that asks for the table `base`."""
        return table_of_file(base, output) if self.tables == "file" else table_from_output(output)


def candidates_of(found: Iterable[FoundParser]) -> dict[str, Candidate]:
    """The usable ones by name; they are not registered, so their ids mean nothing."""
    return {
        each.manifest.name: candidate_of(0, each.manifest, each.artifact)
        for each in found
        if each.manifest and each.artifact
    }


def candidate_of(number: int, manifest: Manifest, artifact: ParserArtifact) -> Candidate:
    """The parser of that id in the store as routing sees it."""
    return Candidate(
        id=number,
        artifact=artifact,
        content=manifest.content,
        patterns=manifest.pattern,
        subscriptions=manifest.subscriptions,
        tables=manifest.tables,
        outputs=tuple(sorted(manifest.outputs)),
    )


@dataclass(frozen=True, slots=True)
class Route:
    """The parser chosen for a file, or None, and every step that led there."""

    parser: Candidate | None
    steps: tuple[str, ...]
    topic: str | None = None

    @property
    def why(self) -> str:
        """The step that decided."""
        return self.steps[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Everything that a choice depends on, besides the file."""

    parsers: Mapping[str, Candidate]
    rules: Sequence[TagRule] = ()
    explicit: str | None = None

    def choose(
        self, path: str, content: str, content_reason: str, tags: Sequence[str] = (), *, size: int | None = None
    ) -> Route:
        """The parser of a file by path, tags and content, in the order: asked for, tag rule, content.

        Rules that ask for sizes fit no file whose size is not given.
        """
        steps: list[str] = []
        if self.explicit is not None:
            return Route(self.parsers[self.explicit], (f"parser {self.explicit} was asked for",))
        matching = rules_for(path, self.rules, size)
        topic = next((rule.topic for rule in matching if rule.topic), None)
        for rule in matching:
            name = rule.parser or self._subscriber(rule.tag)
            if name is None:
                steps.append(f"rule {rule.pattern} gives tag {rule.tag}, which no parser subscribes to")
                continue
            if name not in self.parsers:
                steps.append(f"rule {rule.pattern} names parser {name}, which does not exist")
                continue
            rivals = {
                other.pattern: other.parser for other in matching if other.priority == rule.priority and other.parser
            }
            if len(set(rivals.values()) | {name}) > 1:
                names = ", ".join(f"{pattern} names {parser}" for pattern, parser in rivals.items())
                steps.append(f"rules of the same priority disagree: {names}; give one a higher --priority")
                return Route(None, tuple(steps), topic)
            return Route(
                self.parsers[name], (*steps, f"rule {rule.pattern} (priority {rule.priority}) names {name}"), topic
            )
        for tag in tags:
            if name := self._subscriber(tag):
                return Route(self.parsers[name], (*steps, f"tag {tag}: {name} subscribes to it"), topic)
        if named := self._by_name(path, OPEN_TO_NAME.get(content, frozenset())):
            return Route(named, (*steps, f"content is {content}, and the name fits {named.artifact.name}"), topic)
        for candidate in self.parsers.values():
            if content in candidate.content and candidate.artifact.status is ParserStatus.ACTIVE:
                return Route(candidate, (*steps, f"content is {content}: {content_reason}"), topic)
        return Route(None, (*steps, f"content is {content}: {content_reason}"), topic)

    def _by_name(self, path: str, kinds: frozenset[str]) -> Candidate | None:
        """A shipped parser of these kinds whose own pattern the name fits: it settles what the bytes leave open."""
        for candidate in self.parsers.values():
            if (
                kinds.intersection(candidate.content)
                and candidate.artifact.origin is ParserOrigin.SHIPPED
                and any(matches(pattern, path.lower()) for pattern in candidate.patterns)
            ):
                return candidate
        return None

    def _subscriber(self, tag: str) -> str | None:
        return next((name for name, parser in self.parsers.items() if tag in parser.subscriptions), None)
