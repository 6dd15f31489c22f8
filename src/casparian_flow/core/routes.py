"""Which sinks a run writes each table to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from casparian_flow.core.errors import UsageError
from casparian_flow.core.outputs import SinkMode, SinkTarget

SEPARATOR = "__"
"""Stands between a topic and what tells its tables apart: `sales__t2` belongs to the topic `sales`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """The targets of every table: those of its topic, else the default ones. A sink occurs once in a list."""

    default: tuple[SinkTarget, ...]
    topics: Mapping[str, tuple[SinkTarget, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a list that is empty or names a sink twice: a table has one mode in one place."""
        for topic, targets in (("", self.default), *self.topics.items()):
            if not targets:
                raise UsageError(f"the topic {topic} has no sink" if topic else "no sink is given")
            uris = [target.uri for target in targets]
            if len(set(uris)) < len(uris):
                twice = next(uri for uri in uris if uris.count(uri) > 1)
                raise UsageError(f"the sink {twice} is given twice" + (f" for the topic {topic}" if topic else ""))

    def topic_of(self, table: str) -> str | None:
        """The longest topic that a table is, or that its name begins with before a `__`; None if there is none."""
        return next((topic for topic in topics_over(table) if topic in self.topics), None) if self.topics else None

    def targets_of(self, table: str) -> tuple[SinkTarget, ...]:
        """Where a table lands: in the targets of its topic, else in the default ones."""
        topic = self.topic_of(table)
        return self.default if topic is None else self.topics[topic]

    def mode_of(self, sink: str, table: str) -> SinkMode | None:
        """How a table is written to a sink; None if it does not land there."""
        return next((target.mode for target in self.targets_of(table) if target.uri == sink), None)

    def and_also(self, others: Routes) -> Routes:
        """Every target of either; in a sink that both name the mode is that of the others."""
        topics = sorted({*self.topics, *others.topics})
        return Routes(
            default=_joined(self.default, others.default),
            topics={topic: _joined(self.targets_of(topic), others.targets_of(topic)) for topic in topics},
        )

    @property
    def sinks(self) -> tuple[str, ...]:
        """Every sink that may be written to, sorted."""
        return tuple(sorted({target.uri for target in self.every_target()}))

    def every_target(self) -> Iterator[SinkTarget]:
        """Every target of any table."""
        for targets in (self.default, *self.topics.values()):
            yield from targets

    def to_json(self) -> str:
        """The one text of these routes, whatever the order in which they were given."""
        return json.dumps(
            {
                "default": _listed(self.default),
                "topics": {topic: _listed(targets) for topic, targets in self.topics.items()},
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )


@lru_cache(maxsize=64)
def routes_of(text: str) -> Routes:
    """The routes that `to_json` wrote. The jobs of one run share one text, and so one value."""
    value = json.loads(text)
    return Routes(
        default=_targets(value["default"]),
        topics={topic: _targets(targets) for topic, targets in value["topics"].items()},
    )


def topics_over(table: str) -> Iterator[str]:
    """The table itself, then the names before each of its `__`, longest first."""
    while table:
        yield table
        table = table.rpartition(SEPARATOR)[0]


def _joined(these: tuple[SinkTarget, ...], others: tuple[SinkTarget, ...]) -> tuple[SinkTarget, ...]:
    return tuple({target.uri: target for target in (*these, *others)}.values())


def _listed(targets: tuple[SinkTarget, ...]) -> list[dict[str, str]]:
    return [{"uri": target.uri, "mode": target.mode} for target in sorted(targets, key=lambda target: target.uri)]


def _targets(values: list[dict[str, str]]) -> tuple[SinkTarget, ...]:
    return tuple(SinkTarget(value["uri"], SinkMode(value["mode"])) for value in values)
