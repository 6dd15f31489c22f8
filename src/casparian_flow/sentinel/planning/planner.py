"""What must run, what is skipped, and why: a pure function over what is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from casparian_flow.core.artifacts import ParserStatus
from casparian_flow.core.drift import frozen_at
from casparian_flow.core.errors import ContractFrozen, OverTolerance, QuarantineFull, ToleranceFailed
from casparian_flow.core.files import EntryKind
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.jobs import JobState
from casparian_flow.core.keys import config_hash
from casparian_flow.core.reasons import RunReason, SkipReason
from casparian_flow.core.routes import Routes
from casparian_flow.core.tables import table_from_file_name, table_from_output
from casparian_flow.sentinel.commit.landed import Conditions, Done, changed_since, modes_of
from casparian_flow.sentinel.planning.routing import Candidate, Routing

REPEATABLE = frozenset({"parser-raised", "parser-crashed", "parser-timed-out", "parser-broke-protocol"})
"""Failures that are tried a second time before the planner gives up."""
LASTING = frozenset({"parser-refused", "parser-reserved-column", "parser-invalid", "gave-up", ToleranceFailed.code})
"""Failures that the same bytes and parser can only repeat, or that took a worker with them each time."""
HOLDING = frozenset({OverTolerance.code, QuarantineFull.code})
"""What a person set a limit to: it is read again when the limit is another one, or somebody says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One location as the planner sees it."""

    location: int
    display: str
    kind: str
    problem: str | None
    size: int
    mtime_ns: int
    is_missing: bool
    part_of: str | None
    version: int | None
    source_hash: str | None
    content: str | None
    content_reason: str | None
    tags: tuple[str, ...] = ()
    is_growing: bool = False
    """Whether a watch has seen it change and waits until it holds still; its version is that of older bytes."""
    is_selected: bool = True
    is_retired: bool = False
    """Whether it is missing from a source whose policy is that its rows go out then."""
    kept_by: str = ""
    """Why its rows stay all the same, if they do."""

    @property
    def is_unreadable(self) -> bool:
        """Whether something is there that should have been read and could not be."""
        is_refused = self.kind == EntryKind.UNREADABLE or (self.kind == EntryKind.FILE and self.problem is not None)
        return is_refused and not self.is_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One job that ended without landing."""

    job: int
    source_hash: str
    parser: str
    artifact_hash: str
    env_hash: str
    config_hash: str
    state: str
    code: str
    message: str

    @property
    def is_interrupted(self) -> bool:
        """Whether the attempt was stopped from outside: it says nothing about the file."""
        return self.state == JobState.ABORTED and self.code != "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One job that is not over; `routes` is the text of its routes."""

    job: int
    parser: str
    artifact_hash: str
    env_hash: str
    config_hash: str
    routes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """Rows of one file that a person took out of a table, and that were not asked for again since."""

    parser: str
    sink_uri: str
    table: str
    actor: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that decisions depend on, besides the files."""

    routing: Routing
    done: Mapping[str, Sequence[Done]]
    """By source hash, oldest first."""
    ended: Mapping[str, Sequence[Ended]]
    """By source hash, oldest first."""
    earlier: Mapping[int, frozenset[str]]
    """Hashes of the earlier versions of a location."""
    contracts: Mapping[str, str]
    """Hash of the contract in force, by table."""
    modes: Mapping[str, str]
    """The digest of the effective drift modes, by table; of all other tables under `EVERY_OTHER`."""
    awaiting: frozenset[str]
    """Tables whose first contract waits for a person."""
    routes: Routes
    options: Mapping[str, str] = field(default_factory=dict)
    """Those of this run alone; they go before the standing ones."""
    table: str | None = None
    force: bool = False
    standing: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    """Options by parser and base table."""
    repairs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By source hash and parser, the digest of the values that persons put right."""
    reopened: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By source hash and parser: a cause of rejected rows for which a fix is ready."""
    replaying: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By source hash and parser: the replay on its way that reads these bytes."""
    undone: Mapping[str, Sequence[Undone]] = field(default_factory=dict)
    """By source hash."""
    erased: Mapping[str, str] = field(default_factory=dict)
    """By source hash: the purge that erased what these bytes brought, where nobody had them read since."""
    trimmed: Mapping[str, str] = field(default_factory=dict)
    """By source hash: the purge that erased rejected rows of these bytes, where nobody had them read since."""
    open: Mapping[str, Sequence[Open]] = field(default_factory=dict)
    """By source hash."""
    lifted: Mapping[int, str] = field(default_factory=dict)
    """Jobs that too many rejected rows kept from landing and that would land now, with the reason."""
    paused: frozenset[int] = frozenset()
    """Parsers, by their id in the store, that failed too often in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """Rows of a file that a person took out for good: erased `by` a purge such as X-5, or reverted by somebody."""

    how: str
    by: str
    why: str
    """The same in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens with one file, and why."""

    file: PlannedFile
    action: str
    reason: RunReason | SkipReason
    detail: str
    parser: Candidate | None = None
    base_table: str = ""
    route: str = ""
    """What led to the parser, in words."""
    tag: str | None = None
    """The tag to which the parser subscribes, where that led to it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Under which the parser reads it: the standing ones and those of the run."""
    config_hash: str = ""
    brings_back: TakenOut | None = None
    """What comes back since the file is read with `--force`."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that the parser declares for this file, else the one that the file is named after."""
        declared = (
            [self.parser.table_of(output, self.base_table) for output in self.parser.outputs] if self.parser else []
        )
        return tuple(declared or filter(None, [self.base_table]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Decisions in path order."""

    decisions: tuple[Decision, ...]
    routes: Routes

    @property
    def runs(self) -> list[Decision]:
        """The files that go through a parser."""
        return [decision for decision in self.decisions if decision.action == "run"]

    @property
    def fingerprint(self) -> str:
        """Digest of the routes and of every decision: the same plan made again has the same, a moved world another."""
        decisions = [
            [
                d.file.location,
                d.file.version,
                d.action,
                d.reason,
                d.parser.artifact.artifact_hash if d.parser else "",
                d.config_hash,
            ]
            for d in self.decisions
        ]
        return digest_of_json([self.routes.to_json(), decisions])


def make_plan(files: Iterable[PlannedFile], world: World) -> Plan:
    """Decide for each file, in path order; of several files with the same bytes the first one runs."""
    configs = _Configs(world)
    taken: dict[tuple[str, str], str] = {}
    decisions = [
        _decide(file, world, configs, taken) for file in sorted(files, key=lambda file: (file.display, file.location))
    ]
    return Plan(decisions=tuple(decisions), routes=world.routes)


class _Configs:
    """The options of each decision with their digest: hardly any two files of a plan have different ones."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._usual = (world.options, config_hash(world.options, None))
        self._of: dict[tuple[str, str, bool], tuple[Mapping[str, str], str]] = {}

    def of(self, parser: str, base_table: str, own_table: str) -> tuple[Mapping[str, str], str]:
        """Those under which a parser reads a file that asks for this table.

        To ask for the table that the file would have of itself (`own_table`) changes nothing.
        """
        its, is_own = (parser, base_table), base_table == own_table
        if is_own and its not in self._world.standing:
            return self._usual
        key = (*its, is_own)
        if key not in self._of:
            options = {**self._world.standing.get(its, {}), **self._world.options}
            self._of[key] = (options, config_hash(options, None if is_own else base_table))
        return self._of[key]


def _decide(file: PlannedFile, world: World, configs: _Configs, taken: dict[tuple[str, str], str]) -> Decision:
    if (unfit := _unfit(file)) is not None:
        return unfit
    assert file.source_hash is not None and file.content is not None
    route = world.routing.choose(file.display, file.content, file.content_reason or "", file.tags, size=file.size)
    parser = route.parser
    if parser is None:
        return Decision(file=file, action="skip", reason=SkipReason.NO_PARSER, detail=route.why, route=route.why)
    decided = partial(Decision, file=file, parser=parser, route=route.why, tag=route.tag)
    if parser.artifact.status is not ParserStatus.ACTIVE and world.routing.explicit is None:
        return decided(
            action="skip",
            reason=SkipReason.PARSER_INACTIVE,
            detail=f"{parser.artifact.name} is {parser.artifact.status}: {route.why}",
        )
    if parser.id in world.paused:
        return Decision(
            file=file,
            action="skip",
            reason=SkipReason.PARSER_INACTIVE,
            detail=f"{parser.artifact.name} is paused after too many failures in a row; casparian parser resume",
            parser=parser,
        )
    first = taken.get((file.source_hash, parser.artifact.name))
    if first is not None:
        return decided(action="skip", reason=SkipReason.SAME_BYTES, detail=f"same bytes as {first}")
    taken[file.source_hash, parser.artifact.name] = file.display
    own_table = table_from_output(route.topic or "") or table_from_file_name(file.display)
    base = world.table or own_table
    options, config = configs.of(parser.artifact.name, base, own_table)
    reason, detail = _reason(file, parser, world, config, route.why)
    if isinstance(reason, RunReason) and reason is not RunReason.FORCED and file.source_hash in world.trimmed:
        purge = world.trimmed[file.source_hash]
        reason = SkipReason.HELD_BY_POLICY
        detail = f"reading it again ({detail}) would bring rows back that {purge} erased; --force reads it"
    back = _taken_out(file.source_hash, parser, world) if reason is RunReason.FORCED else None
    if back is not None:
        detail = f"{detail}, though {back.why}"
    action = "run" if isinstance(reason, RunReason) else "skip"
    return decided(
        action=action,
        reason=reason,
        detail=detail,
        base_table=base,
        options=options,
        config_hash=config,
        brings_back=back,
    )


def _unfit(file: PlannedFile) -> Decision | None:
    """The decision for what cannot or should not be parsed at all."""
    if not file.is_selected:
        return Decision(file=file, action="skip", reason=SkipReason.NOT_SELECTED, detail="outside the selection")
    if file.is_missing:
        rows = "are kept"
        if file.is_retired:
            rows = f"stay: {file.kept_by}" if file.kept_by else "go out, as the policy of its source says"
        return Decision(
            file=file, action="skip", reason=SkipReason.SOURCE_MISSING, detail=f"not there any more; its rows {rows}"
        )
    if file.part_of is not None:
        return Decision(file=file, action="skip", reason=SkipReason.NOT_SELECTED, detail=f"part of {file.part_of}")
    if file.is_growing:
        return Decision(
            file=file, action="skip", reason=SkipReason.GROWING, detail="it changed a moment ago; read when it is still"
        )
    if file.kind != EntryKind.FILE or file.problem or file.version is None:
        return Decision(
            file=file,
            action="skip",
            reason=SkipReason.NOT_SELECTED,
            detail=file.problem or f"not a regular file: {file.kind}",
        )
    if file.content == "empty":
        return Decision(file=file, action="skip", reason=SkipReason.NO_PARSER, detail="the file is empty")
    return None


def _reason(
    file: PlannedFile, parser: Candidate, world: World, config: str, why: str
) -> tuple[RunReason | SkipReason, str]:
    """Whether these bytes go through this parser, and why: what is being done, what is done, what failed since."""
    assert file.source_hash is not None
    artifact = parser.artifact
    if opened := world.open.get(file.source_hash):
        wanted = (artifact.name, artifact.artifact_hash, artifact.env_hash, config, world.routes.to_json())
        for each in opened:
            if (each.parser, each.artifact_hash, each.env_hash, each.config_hash, each.routes) == wanted:
                return SkipReason.IN_PROGRESS, f"job {each.job} does it"
    its = (file.source_hash, artifact.name)
    if (replay := world.replaying.get(its)) is not None:
        return SkipReason.IN_PROGRESS, f"replay {replay} reads it again"
    done = [d for d in world.done.get(file.source_hash, ()) if d.parser == artifact.name]
    ended = [e for e in world.ended.get(file.source_hash, ()) if e.parser == artifact.name and not e.is_interrupted]
    undone = _undone(file.source_hash, parser, world)
    purge = world.erased.get(file.source_hash)
    if world.force and (done or ended or undone or purge):
        return RunReason.FORCED, "asked for with --force"
    if purge is not None:
        return SkipReason.HELD_BY_POLICY, f"its rows were erased by {purge}; --force reads it again"
    if undone:
        u = undone[-1]
        return SkipReason.HELD_BY_POLICY, f"{u.table} was reverted by {u.actor} on {u.at}; --force reads it again"
    now = Conditions(
        artifact=artifact,
        config=config,
        contracts=world.contracts,
        modes=world.modes,
        repairs=world.repairs.get(its, ""),
    )
    changed = changed_since(done, world.routes, now) if done else None
    reopened = world.reopened.get(its) if done else None
    if done and changed is None and reopened is None:
        if proof := next((d.proof for d in reversed(done) if d.proof and d.is_current), ""):
            return SkipReason.PROVEN_EQUIVALENT, f"job {done[-1].job} brought the same rows, shown by {proof}"
        if any(d.version == file.version for d in done):
            return SkipReason.UP_TO_DATE, f"job {done[-1].job}"
        return SkipReason.SAME_BYTES, f"same bytes as in job {done[-1].job}"
    last_done = max((d.job for d in done), default=0)
    failures = [e for e in ended if e.job > last_done]
    by_it = (artifact.artifact_hash, artifact.env_hash, config)
    if alike := [e for e in failures if (e.artifact_hash, e.env_hash, e.config_hash) == by_it]:
        return _after_failure(alike, world)
    if changed is not None:
        return changed
    if reopened is not None:
        return RunReason.QUARANTINE_REOPENED, f"there is a fix for {reopened}"
    if failures:
        return _since_failure(failures[-1], parser)
    earlier = world.earlier.get(file.location, frozenset()) - {file.source_hash}
    if any(world.done.get(old) or world.ended.get(old) for old in earlier):
        return RunReason.BYTES_CHANGED, why
    if world.done.get(file.source_hash):
        return RunReason.PARSER_CHANGED, why
    return RunReason.NEW, why


def _undone(source_hash: str, parser: Candidate, world: World) -> list[Undone]:
    """Reverts that took rows of these bytes out of a target to which the run would write."""
    return [
        u
        for u in world.undone.get(source_hash, ())
        if u.parser == parser.artifact.name
        and u.sink_uri in {target.uri for target in world.routes.targets_of(u.table)}
    ]


def _taken_out(source_hash: str, parser: Candidate, world: World) -> TakenOut | None:
    """What somebody took out of what these bytes brought; a purge before a revert."""
    if (purge := world.erased.get(source_hash)) is not None:
        return TakenOut(how="purged", by=purge, why=f"its rows were erased by {purge}")
    if (purge := world.trimmed.get(source_hash)) is not None:
        return TakenOut(how="purged", by=purge, why=f"rows of it were erased by {purge}")
    if undone := _undone(source_hash, parser, world):
        u = undone[-1]
        return TakenOut(how="reverted", by=u.actor, why=f"{u.table} was reverted by {u.actor} on {u.at}")
    return None


def _since_failure(last: Ended, parser: Candidate) -> tuple[RunReason, str]:
    """What differs between the last attempt, which failed, and what would be done now."""
    if last.artifact_hash != parser.artifact.artifact_hash:
        return RunReason.PARSER_CHANGED, f"the parser changed since it failed: {last.message}"
    if last.env_hash != parser.artifact.env_hash:
        return RunReason.ENV_CHANGED, "the environment changed since it failed"
    return RunReason.CONFIG_CHANGED, "the options changed since it failed"


def _after_failure(alike: Sequence[Ended], world: World) -> tuple[RunReason | SkipReason, str]:
    """What follows from attempts that would only be repeated as they were."""
    last = alike[-1]
    if last.code == "cancelled":
        return SkipReason.CANCELLED, "cancelled by a person; --force reads it"
    if last.code == "awaiting-approval":
        waiting = [table for table in last.message.split() if table in world.awaiting]
        if waiting:
            return SkipReason.AWAITING_APPROVAL, f"the contract of {waiting[0]} is proposed, not approved"
        return RunReason.CONTRACT_CHANGED, "its contract was decided"
    if last.code == ContractFrozen.code:
        return _after_freeze(last, world)
    if (why := world.lifted.get(last.job)) is not None:
        return RunReason.HOLD_LIFTED, why
    if last.code in HOLDING:
        return SkipReason.HELD_BY_POLICY, f"{last.message}; --force reads it again"
    repeats = sum(1 for e in alike if e.code in REPEATABLE)
    if last.code in LASTING or (last.code in REPEATABLE and repeats >= 2):
        return SkipReason.GAVE_UP, last.message
    return RunReason.PREVIOUS_FAILED, last.message


def _after_freeze(last: Ended, world: World) -> tuple[RunReason | SkipReason, str]:
    """A file that differs from a frozen table waits until its contract or the modes are others."""
    named, _, _ = last.message.partition(" ")
    table, _, at = named.partition("@")
    if at == frozen_at(world.contracts.get(table, ""), modes_of(world.modes, table)):
        return SkipReason.HELD_BY_POLICY, last.message
    return RunReason.CONTRACT_CHANGED, f"the contract or the drift modes of {table} changed since it failed"
