"""First contact: tables without a contract get one from all their files at once, so that file order never matters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.tables import choose_table
from casparian_flow.protocol.messages import OutputSurvey
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.notes import without_value
from casparian_flow.schema.survey import Survey
from casparian_flow.sentinel.commit.clusters import Cluster, Shape, cluster_shapes
from casparian_flow.sentinel.commit.in_force import InForce

Surveys = Mapping[int, Sequence[OutputSurvey]]
"""What each job of a scope found, by job."""
Scope = tuple[int, str]
"""A run, and what its files have in common that may map to the same new tables."""


@dataclass(frozen=True, slots=True)
class Founded:
    """The outcome for one scope: new contracts, and the table of each surveyed output by (job, output)."""

    contracts: tuple[Contract, ...]
    tables: Mapping[tuple[int, str], str]


@dataclass(slots=True)
class Waiting:
    """The jobs of one scope: files that may map to the same new tables."""

    expected: set[int] = field(default_factory=set)
    surveyed: dict[int, Sequence[OutputSurvey]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether no job of the scope can still bring a survey."""
        return not self.expected


class FirstContact:
    """Collects surveys scope by scope and founds tables when a scope is complete."""

    def __init__(self) -> None:
        self._scopes: dict[Scope, Waiting] = defaultdict(Waiting)
        self._scope_of: dict[int, Scope] = {}
        self._complete: list[tuple[Scope, Surveys]] = []

    def expect(self, job: int, scope: Scope) -> None:
        """A job of this scope is going to run."""
        self._scope_of[job] = scope
        self.again(job)

    @property
    def plans(self) -> set[int]:
        """The runs of the jobs that may still bring a survey or have brought one."""
        return {plan for plan, _ in self._scope_of.values()}

    def move(self, job: int, scope: Scope) -> None:
        """A job belongs to another scope from now on, with what it has brought; an unknown one does not."""
        before = self._scope_of.get(job)
        if before is None or before == scope:
            return
        self._scope_of[job] = scope
        if (left := self._scopes.get(before)) is None:
            return
        if job in left.expected:
            left.expected.discard(job)
            self._scopes[scope].expected.add(job)
            self._close(before)
        elif (outputs := left.surveyed.pop(job, None)) is not None:
            self._scopes[scope].surveyed[job] = outputs
            self._close(scope)

    def again(self, job: int) -> None:
        """A job is going to be read again: its scope waits for it once more."""
        if (scope := self._scope_of.get(job)) is not None:
            self._scopes[scope].surveyed.pop(job, None)
            self._scopes[scope].expected.add(job)

    def add(self, job: int, outputs: Sequence[OutputSurvey]) -> None:
        """A job has been surveyed and waits for its contracts."""
        scope = self._scope_of[job]
        waiting = self._scopes[scope]
        waiting.expected.discard(job)
        waiting.surveyed[job] = outputs
        self._close(scope)

    def leave(self, job: int) -> None:
        """A job needs no contract: it sealed, failed or was stopped."""
        if (scope := self._scope_of.pop(job, None)) is not None and scope in self._scopes:
            self._scopes[scope].expected.discard(job)
            self._scopes[scope].surveyed.pop(job, None)
            self._close(scope)

    def take_complete(self) -> list[tuple[Scope, Surveys]]:
        """The surveys of every scope that has become complete, each once."""
        taken, self._complete = self._complete, []
        return taken

    def _close(self, scope: Scope) -> None:
        if self._scopes[scope].is_complete and (surveys := self._scopes.pop(scope).surveyed):
            self._complete.append((scope, surveys))


def found_tables(surveys: Surveys, in_force: InForce) -> Founded:
    """Choose a table for every surveyed output and draft the contract of each new table from all its rows.

    An output that fits a contract in force joins that table. Of the others, those that the parser named itself are
    one table per name; those that are named by their file are clustered by their columns (`sentinel.clusters`).
    """
    tables: dict[tuple[int, str], str] = {}
    by_base: dict[tuple[str, bool], list[tuple[int, OutputSurvey]]] = defaultdict(list)
    for job, outputs in surveys.items():
        for output in outputs:
            if (table := _table_in_force(output, in_force)) is not None:
                tables[job, output.output] = table
            else:
                by_base[output.base_table, output.is_named].append((job, output))
    contracts: dict[str, Contract] = {}
    for (base, is_named), members in sorted(by_base.items()):
        counted = Counter(_shape(output) for _, output in members)
        is_free = base not in in_force and base not in contracts
        clusters = [_one_cluster(counted)] if is_named else cluster_shapes(counted, bare_is_free=is_free)
        for cluster in clusters:
            of_cluster = [(job, output) for job, output in members if _shape(output) in cluster.members]
            table = base + cluster.suffix
            tables.update({(job, output.output): table for job, output in of_cluster})
            if table not in in_force and table not in contracts:
                drafted = _draft(table, cluster, [output for _, output in of_cluster])
                contracts[table] = classed_as(drafted, in_force.near(base).values())
    return Founded(tuple(contracts.values()), tables)


def _table_in_force(output: OutputSurvey, in_force: InForce) -> str | None:
    """The table that a worker would have chosen had it known every contract of now."""
    if output.is_named:
        return output.base_table if output.base_table in in_force else None
    near = in_force.near(output.base_table)
    return choose_table(
        output.base_table,
        output.columns,
        {table: contract.shapes for table, contract in near.items()},
        headerless=output.headerless,
        older={table: contract.older_names for table, contract in near.items()},
    )


def _one_cluster(counted: Mapping[Shape, int]) -> Cluster:
    return Cluster(min(counted, key=lambda shape: shape.headerless), sum(counted.values()), set(counted))


def _draft(table: str, cluster: Cluster, outputs: Sequence[OutputSurvey]) -> Contract:
    """The contract of all rows; files without a header take the names of the others by position."""
    named = Survey.merged(_survey(output) for output in outputs if output.headerless == cluster.is_headerless)
    nameless = [_survey(output) for output in outputs if output.headerless != cluster.is_headerless]
    renamed = [survey.renamed(dict(zip(survey.names, named.names, strict=False))) for survey in nameless]
    return draft_contract(table, Survey.merged([named, *renamed]), headerless=cluster.is_headerless)


def classed_as(contract: Contract, siblings: Iterable[Contract]) -> Contract:
    """The contract, its columns as closed as those of the same name in these others, such as files of its name founded.

    Else a file with one column more would lay open what somebody has closed.
    """
    closed = {
        name: column
        for sibling in siblings
        for column in sibling.columns
        if column.is_closed
        for name in (column.name, *column.aliases)
    }
    if not closed.keys() & set(contract.names):
        return contract
    return replace(contract, columns=tuple(_closed_as(column, closed.get(column.name)) for column in contract.columns))


def _closed_as(column: ContractColumn, model: ContractColumn | None) -> ContractColumn:
    if model is None:
        return column
    return replace(
        column,
        sensitivity=model.sensitivity,
        treatment=model.treatment,
        treatment_argument=model.treatment_argument,
        note=without_value(column.note),
    )


def _shape(output: OutputSurvey) -> Shape:
    return Shape(tuple(output.columns), output.headerless)


def _survey(output: OutputSurvey) -> Survey:
    return Survey.from_bytes(output.survey)
