"""How what `operations.run.plan` names is done."""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from casparian_flow.core.errors import NotFound, PlanStale, UsageError
from casparian_flow.core.ids import new_time_ordered_id
from casparian_flow.core.outputs import SinkMode
from casparian_flow.core.reasons import RunReason, SkipReason
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.job.numbered import resolve
from casparian_flow.operations.doing.output.destinations import choose_routes
from casparian_flow.operations.doing.run.bringing_back import brought_back
from casparian_flow.operations.doing.run.moving import Leaving, leaving, moved
from casparian_flow.operations.doing.source.selection import Discovered, discover
from casparian_flow.operations.run.plan import MakePlan, PlanEntry, PlanGroup, PlanReply, Retired, Subscription
from casparian_flow.sentinel.commit.tolerance import MEGABYTE
from casparian_flow.sentinel.planning.catalog import Catalog, load_catalog, name_of
from casparian_flow.sentinel.planning.held_files import Bounds
from casparian_flow.sentinel.planning.planner import Plan, make_plan
from casparian_flow.sentinel.planning.world import gather_files, gather_world
from casparian_flow.store import outputs as output_store
from casparian_flow.store import plans as plan_store
from casparian_flow.store.engine import AnyRow

GROUP_OF: Mapping[RunReason | SkipReason, str] = {RunReason.NEW: "new", RunReason.BYTES_CHANGED: "changed"}
"""Why a file is read for the first time; every other reason reads it again."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with everything that running it needs."""

    id: int
    plan: Plan
    catalog: Catalog
    discovered: Discovered
    leaving: Mapping[int, Sequence[Leaving]]
    """By location, the rows that leave a table once its file has landed in another one."""


def prepare(
    acting: Acting, request: MakePlan, discovered: Discovered | None = None, *, tolerance: float | None = None
) -> Prepared:
    """Scan what was pointed at unless that was done, decide for every file, and keep the decisions.

    `tolerance` is that of the run for which it is, else that of the settings.
    """
    routes, table = choose_routes(acting, request.sinks, request.topics, request.mode, request.table)
    if discovered is None:
        discovered = discover(acting, request.paths, tag=request.tag, since=request.since)
    now = acting.clock()
    catalog = load_catalog(acting.database, acting.home.plugins, request.parser, acting.cwd, now)
    explicit = None if request.parser is None else name_of(request.parser)
    options = _checked_options(catalog, explicit, request.options)
    with acting.database.transaction() as connection:
        world = gather_world(
            connection,
            parsers=catalog.candidates,
            explicit=explicit,
            routes=routes,
            options=options,
            table=table,
            force=request.force,
            modes=acting.settings.drift.modes,
            bounds=bounds_of(acting, tolerance),
        )
        plan = make_plan(gather_files(connection, discovered.selection), world)
        going = leaving(connection, plan)
        number = new_time_ordered_id(now)
        plan_store.decide(
            acting.database,
            [
                (
                    decision.file.location,
                    number,
                    decision.file.version,
                    decision.action,
                    decision.reason,
                    decision.detail,
                    decision.parser.artifact.name if decision.parser else None,
                )
                for decision in plan.decisions
                if decision.file.is_selected
            ],
        )
    prepared = Prepared(number, plan, catalog, discovered, going)
    acting.report("plan.made", {"run": len(plan.runs), "skip": len(plan.decisions) - len(plan.runs)})
    return prepared


def bounds_of(acting: Acting, tolerance: float | None) -> Bounds:
    """How much of a file a run may reject, whose own tolerance this is."""
    governance = acting.settings.governance
    return Bounds(
        share=governance.tolerance if tolerance is None else tolerance,
        quarantine_bytes=governance.quarantine_mb * MEGABYTE,
    )


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and the folder from which its paths and sinks are meant."""

    request: MakePlan
    folder: str


def save(acting: Acting, prepared: Prepared, request: MakePlan) -> None:
    """Keep the plan so that `run --plan` can do exactly this or refuse."""
    saved = _Saved(request=request, folder=str(acting.cwd))
    with acting.database.transaction() as connection:
        plan_store.save(
            connection,
            prepared.id,
            acting.clock(),
            msgspec.json.encode(saved).decode(),
            prepared.plan.fingerprint,
            json.dumps(counts_of(prepared.plan)),
        )


def prepare_saved(acting: Acting, named: str) -> Prepared:
    """Make a saved plan again, from wherever it was made; raises PlanStale unless it comes out the same."""
    with acting.database.transaction() as connection:
        plan_id = resolve(connection, named, "plan", plan_store.nth_newest, plan_store.with_prefix)
        row = None if plan_id is None else plan_store.saved(connection, plan_id)
    if row is None:
        raise NotFound(f"there is no plan {named}", fix="casparian plan")
    try:
        saved = msgspec.json.decode(row.request, type=_Saved)
    except msgspec.ValidationError as exc:
        raise PlanStale(f"plan {plan_id} was made by another version", why=str(exc)) from exc
    prepared = prepare(replace(acting, cwd=Path(saved.folder)), saved.request)
    if prepared.plan.fingerprint != row.fingerprint:
        raise PlanStale(
            f"plan {plan_id} no longer describes the files",
            why=f"then {row.summary}, now {json.dumps(counts_of(prepared.plan))}",
        )
    return prepared


def make(acting: Acting, request: MakePlan) -> PlanReply:
    """Make and save a plan."""
    prepared = prepare(acting, request)
    save(acting, prepared, request)
    with acting.database.transaction() as connection:
        stale = output_store.stale(connection)
    return PlanReply(
        plan=str(prepared.id),
        asked=_asked(request),
        sinks=list(prepared.plan.routes.sinks),
        counts=counts_of(prepared.plan),
        groups=_groups(prepared.plan),
        retire=_retired(stale),
        moved=moved(prepared.leaving, (each.file.location for each in prepared.plan.runs)),
        brought_back=brought_back(prepared.plan.runs),
        run_files=len(prepared.plan.runs),
        run_bytes=sum(decision.file.size for decision in prepared.plan.runs),
        subscriptions=_subscriptions(prepared.plan),
        entries=[
            PlanEntry(
                path=decision.file.display,
                action=decision.action,
                reason=decision.reason,
                detail=decision.detail,
                parser=decision.parser.artifact.name if decision.parser else None,
                route=decision.route,
                tag=decision.tag,
                tables=list(decision.tables),
                size=decision.file.size,
            )
            for decision in prepared.plan.decisions
            if decision.file.is_selected
        ],
        warnings=list(prepared.discovered.warnings),
        next=f"casparian run --plan {prepared.id}" if prepared.plan.runs or stale else "casparian tables",
    )


def _asked(request: MakePlan) -> str:
    """The command that runs what was planned, as a person would type it."""
    words = ["casparian", "run", *request.paths]
    for name in ("parser", "table", "tag", "since"):
        if (value := getattr(request, name)) is not None:
            words += [f"--{name}", value]
    for key, value in sorted(request.options.items()):
        words += ["--option", f"{key}={value}"]
    for sink in request.sinks:
        words += ["--sink", sink]
    for topic, sinks in sorted(request.topics.items()):
        words += [word for sink in sinks for word in ("--topic", f"{topic}={sink}")]
    if request.mode is not SinkMode.APPEND:
        words += ["--mode", request.mode]
    return shlex.join([*words, "--force"] if request.force else words)


def _groups(plan: Plan) -> list[PlanGroup]:
    """The selected files by what happens with them and why, those that are read first."""
    files: Counter[tuple[str, str]] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    for decision in plan.decisions:
        if decision.file.is_selected:
            kind = GROUP_OF.get(decision.reason, "reopen") if decision.action == "run" else "skip"
            files[kind, decision.reason] += 1
            sizes[kind, decision.reason] += decision.file.size
    order = ("new", "changed", "reopen", "skip")
    return [
        PlanGroup(group=kind, reason=reason, files=count, bytes=sizes[kind, reason])
        for (kind, reason), count in sorted(files.items(), key=lambda item: (order.index(item[0][0]), -item[1]))
    ]


def _retired(stale: Sequence[AnyRow]) -> Retired:
    """What goes out: the rows of each table once, in however many sinks they are."""
    rows = {(row.job_id, row.table_name): row for row in stale}.values()
    return Retired(
        files=len({row.source_hash for row in stale}),
        rows=sum(row.accepted for row in rows),
        quarantined=sum(row.quarantined for row in rows),
    )


def _subscriptions(plan: Plan) -> list[Subscription]:
    """Which subscriptions chose a parser, by tag."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for decision in plan.decisions:
        if decision.file.is_selected and decision.tag is not None and decision.parser is not None:
            counts[decision.tag, decision.parser.artifact.name][decision.action] += 1
    return [
        Subscription(tag=tag, parser=parser, run=count["run"], skip=count["skip"])
        for (tag, parser), count in sorted(counts.items())
    ]


def counts_of(plan: Plan) -> dict[str, int]:
    """Selected files by `action reason`, most first."""
    counts = Counter(f"{d.action} {d.reason}" for d in plan.decisions if d.file.is_selected)
    return dict(counts.most_common())


def _checked_options(catalog: Catalog, explicit: str | None, options: dict[str, str]) -> dict[str, str]:
    """The options, if some parser that may run knows each of them."""
    candidates = catalog.registered.values()
    known = {
        option
        for parser in candidates
        if explicit is None or parser.artifact.name == explicit
        for option in parser.manifest.options
    }
    unknown = sorted(set(options) - known)
    if unknown:
        raise UsageError(f"no parser has an option {unknown[0]}", why=f"known options: {', '.join(sorted(known))}")
    return options
