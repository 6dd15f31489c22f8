"""How what `operations.plan` names is done."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass

import msgspec

from casparian_flow.core.errors import NotFound, PlanStale, UsageError
from casparian_flow.core.ids import new_time_ordered_id
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.destinations import choose_routes
from casparian_flow.operations.doing.numbered import resolve
from casparian_flow.operations.doing.selection import Discovered, discover
from casparian_flow.operations.plan import MakePlan, PlanEntry, PlanReply, Subscription
from casparian_flow.sentinel.catalog import Catalog, load_catalog, name_of
from casparian_flow.sentinel.planner import Plan, make_plan
from casparian_flow.sentinel.world import gather_files, gather_world
from casparian_flow.store import plans as plan_store


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with everything that running it needs."""

    id: int
    plan: Plan
    catalog: Catalog
    discovered: Discovered
    options: dict[str, str]


def prepare(acting: Acting, request: MakePlan, discovered: Discovered | None = None) -> Prepared:
    """Scan what was pointed at unless that was done, decide for every file, and keep the decisions."""
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
        )
        plan = make_plan(gather_files(connection, discovered.selection), world)
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
    prepared = Prepared(number, plan, catalog, discovered, options)
    acting.report("plan.made", {"run": len(plan.runs), "skip": len(plan.decisions) - len(plan.runs)})
    return prepared


def save(acting: Acting, prepared: Prepared, request: MakePlan) -> None:
    """Keep the plan so that `run --plan` can do exactly this or refuse."""
    with acting.database.transaction() as connection:
        plan_store.save(
            connection,
            prepared.id,
            acting.clock(),
            msgspec.json.encode(request).decode(),
            prepared.plan.fingerprint,
            json.dumps(counts_of(prepared.plan)),
        )


def prepare_saved(acting: Acting, named: str) -> Prepared:
    """Make a saved plan again; raises PlanStale unless it comes out the same."""
    with acting.database.transaction() as connection:
        plan_id = resolve(connection, named, "plan", plan_store.nth_newest, plan_store.with_prefix)
        row = None if plan_id is None else plan_store.saved(connection, plan_id)
    if row is None:
        raise NotFound(f"there is no plan {named}", fix="casparian plan")
    try:
        request = msgspec.json.decode(row.request, type=MakePlan)
    except msgspec.ValidationError as exc:
        raise PlanStale(f"plan {plan_id} was made by another version", why=str(exc)) from exc
    prepared = prepare(acting, request)
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
    return PlanReply(
        plan=str(prepared.id),
        counts=counts_of(prepared.plan),
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
