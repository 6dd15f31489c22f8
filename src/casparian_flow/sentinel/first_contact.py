"""First contact: tables without a contract get one from all their files at once, so that file order never matters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from casparian_flow.core.contracts import Contract
from casparian_flow.protocol.messages import OutputSurvey
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.survey import Survey
from casparian_flow.sentinel.clusters import Cluster, Shape, cluster_shapes


@dataclass(frozen=True, slots=True)
class Founded:
    """The outcome for one scope: new contracts, and the table of each surveyed output by (job, output)."""

    contracts: tuple[Contract, ...]
    tables: Mapping[tuple[int, str], str]


@dataclass(slots=True)
class Waiting:
    """The jobs of one scope: files that may map to the same new tables."""

    expected: set[int] = field(default_factory=set)
    surveyed: dict[int, list[OutputSurvey]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether no job of the scope can still bring a survey."""
        return not self.expected


class FirstContact:
    """Collects surveys scope by scope and founds tables when a scope is complete."""

    def __init__(self) -> None:
        self._scopes: dict[str, Waiting] = defaultdict(Waiting)
        self._scope_of: dict[int, str] = {}

    def expect(self, job: int, scope: str) -> None:
        """A job of this scope is going to run."""
        self._scope_of[job] = scope
        self._scopes[scope].expected.add(job)

    def add(self, job: int, outputs: Sequence[OutputSurvey]) -> None:
        """A job has been surveyed and waits for its contracts."""
        waiting = self._scopes[self._scope_of[job]]
        waiting.expected.discard(job)
        waiting.surveyed[job] = list(outputs)

    def leave(self, job: int) -> None:
        """A job needs no contract: it sealed, failed or was stopped."""
        if (scope := self._scope_of.pop(job, None)) is not None:
            self._scopes[scope].expected.discard(job)
            self._scopes[scope].surveyed.pop(job, None)

    def take_complete(self) -> list[dict[int, list[OutputSurvey]]]:
        """The surveys of every scope that has become complete, each once."""
        complete = [name for name, waiting in self._scopes.items() if waiting.is_complete]
        taken = [self._scopes.pop(name).surveyed for name in complete]
        return [surveys for surveys in taken if surveys]


def found_tables(surveys: Mapping[int, Sequence[OutputSurvey]], in_force: Mapping[str, Contract]) -> Founded:
    """Choose a table for every surveyed output and draft the contract of each new table from all its rows.

    Outputs of one base name are clustered by their columns (`sentinel.clusters`); each cluster is a table.
    """
    by_base: dict[str, list[tuple[int, OutputSurvey]]] = defaultdict(list)
    for job, outputs in surveys.items():
        for output in outputs:
            by_base[output.base_table].append((job, output))
    contracts: list[Contract] = []
    tables: dict[tuple[int, str], str] = {}
    for base, members in sorted(by_base.items()):
        for cluster in cluster_shapes(Counter(_shape(output) for _, output in members)):
            of_cluster = [(job, output) for job, output in members if _shape(output) in cluster.members]
            table = cluster.table_name(base, in_force)
            tables.update({(job, output.output): table for job, output in of_cluster})
            if table not in in_force:
                merged = reduce(Survey.merge, (_survey(output, cluster) for _, output in of_cluster))
                contracts.append(draft_contract(table, merged, headerless=cluster.is_headerless))
    return Founded(tuple(contracts), tables)


def _shape(output: OutputSurvey) -> Shape:
    return Shape(tuple(output.columns), output.headerless)


def _survey(output: OutputSurvey, cluster: Cluster) -> Survey:
    survey = Survey.from_bytes(output.survey)
    if output.headerless and not cluster.is_headerless:
        return survey.renamed(dict(zip(output.columns, cluster.leader.columns, strict=True)))
    return survey
