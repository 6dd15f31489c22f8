"""Which parser reads a file: asked for, by tag rule, by name, or by content; the choice explains itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

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
    priority: int = 50
    """Of several subscribers to a file's tags the one with the highest reads it."""
    tables: str = "topic"
    outputs: tuple[str, ...] = ()
    """The outputs it declares."""
    is_trusted: bool = False
    """Whether a person let a version of this plugin read files, be it not this one."""

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


def candidate_of(number: int, manifest: Manifest, artifact: ParserArtifact, *, is_trusted: bool = False) -> Candidate:
    """The parser of that id in the store as routing sees it."""
    return Candidate(
        id=number,
        artifact=artifact,
        content=manifest.content,
        patterns=manifest.pattern,
        subscriptions=manifest.subscriptions,
        priority=manifest.priority,
        tables=manifest.tables,
        outputs=tuple(sorted(manifest.outputs)),
        is_trusted=is_trusted,
    )


@dataclass(frozen=True, slots=True)
class Route:
    """The parser chosen for a file, or None, and every step that led there."""

    parser: Candidate | None
    steps: tuple[str, ...]
    topic: str | None = None
    tag: str | None = None
    """The tag to which the parser subscribes, where that decided."""

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
        """The parser of a file by path, tags and content, in the order: asked for, tag rule, tag, pattern, content.

        Rules that ask for sizes fit no file whose size is not given.
        """
        steps: list[str] = []
        if self.explicit is not None:
            return Route(self.parsers[self.explicit], (f"parser {self.explicit} was asked for",))
        matching = rules_for(path, self.rules, size)
        topic = next((rule.topic for rule in matching if rule.topic), None)
        for _priority, level in groupby(matching, key=lambda rule: rule.priority):
            if claims := self._claims_of_rules(list(level), steps):
                return _settle(claims, steps, topic)
        if claims := self._claims_of_tags({tag: f"tag {tag}" for tag in tags}):
            return _settle(claims, steps, topic)
        if claims := self._claims_of_patterns(path):
            return _settle(claims, steps, topic)
        if named := self._by_name(path, OPEN_TO_NAME.get(content, frozenset())):
            return Route(named, (*steps, f"content is {content}, and the name fits {named.artifact.name}"), topic)
        for candidate in self.parsers.values():
            if content in candidate.content and candidate.artifact.status is ParserStatus.ACTIVE:
                return Route(candidate, (*steps, f"content is {content}: {content_reason}"), topic)
        return Route(None, (*steps, f"content is {content}: {content_reason}"), topic)

    def _claims_of_rules(self, rules: Sequence[TagRule], steps: list[str]) -> list[_Claim]:
        """The parsers that rules of one priority ask for, by name or through the subscriptions to their tags."""
        claims = []
        tags: dict[str, str] = {}
        for rule in rules:
            if rule.parser is None:
                tags.setdefault(rule.tag, f"rule {rule.pattern} (priority {rule.priority}) gives tag {rule.tag}")
            elif rule.parser in self.parsers:
                how = f"rule {rule.pattern} (priority {rule.priority}) names {rule.parser}"
                claims.append(_Claim(self.parsers[rule.parser], how))
            else:
                steps.append(f"rule {rule.pattern} names parser {rule.parser}, which does not exist")
        subscribed = self._claims_of_tags(tags)
        heard = {tag for parser in self.parsers.values() for tag in parser.subscriptions}
        steps += [f"{given}, which no parser subscribes to" for tag, given in tags.items() if tag not in heard]
        return claims + subscribed

    def _claims_of_tags(self, tags: Mapping[str, str]) -> list[_Claim]:
        """The parsers that subscribe to one of these tags: active ones first, of those the highest priority.

        `tags` says of each in words where the file has it from.
        """
        if not tags:
            return []
        claims = [
            _Claim(parser, f"{given}, to which {name} subscribes", tag, is_rule=False)
            for tag, given in tags.items()
            for name, parser in self.parsers.items()
            if tag in parser.subscriptions
        ]
        return _highest(claims)

    def _claims_of_patterns(self, path: str) -> list[_Claim]:
        """The parsers of the home that a person let read the files of this name: of those the highest priority.

        One that was changed since waits to be approved again, and its files wait with it: nobody else reads them as
        whatever they look like. The patterns of shipped parsers are wide, and only tell apart what bytes leave open.
        """
        return _highest(
            [
                _Claim(parser, f"the name fits {pattern}, the pattern of {name}", is_rule=False)
                for name, parser in self.parsers.items()
                if parser.artifact.origin is ParserOrigin.PLUGIN
                and (parser.is_trusted or parser.artifact.status is ParserStatus.ACTIVE)
                for pattern in [next((each for each in parser.patterns if matches(each, path)), None)]
                if pattern is not None
            ]
        )

    def _by_name(self, path: str, kinds: frozenset[str]) -> Candidate | None:
        """A shipped parser of these kinds whose own pattern the name fits: it settles what the bytes leave open."""
        if not kinds:
            return None
        for candidate in self.parsers.values():
            if (
                kinds.intersection(candidate.content)
                and candidate.artifact.origin is ParserOrigin.SHIPPED
                and any(matches(pattern, path.lower()) for pattern in candidate.patterns)
            ):
                return candidate
        return None


@dataclass(frozen=True, slots=True)
class _Claim:
    """A parser that something about a file asks for, in words why, and the tag if a subscription asks."""

    parser: Candidate
    how: str
    tag: str | None = None
    is_rule: bool = True
    """Whether a rule names the parser."""

    @property
    def rank(self) -> tuple[bool, int]:
        return self.parser.artifact.status is ParserStatus.ACTIVE, self.parser.priority


def _highest(claims: Sequence[_Claim]) -> list[_Claim]:
    best = max((claim.rank for claim in claims), default=None)
    return [claim for claim in claims if claim.rank == best]


def _settle(claims: Sequence[_Claim], steps: Sequence[str], topic: str | None) -> Route:
    """The route to the one parser that is claimed, or to none where several are: nobody guesses between them."""
    first = claims[0]
    if len({claim.parser.artifact.name for claim in claims}) == 1:
        return Route(first.parser, (*steps, first.how), topic, first.tag)
    both = "; ".join(claim.how for claim in claims)
    if any(claim.is_rule for claim in claims):
        why = f"rules of the same priority disagree: {both}; give one a higher --priority"
    else:
        names = sorted({claim.parser.artifact.name for claim in claims})
        why = f"{' and '.join(names)} ask for it with the same priority: {both}; name one with `rules add --parser`"
    return Route(None, (*steps, why), topic)
