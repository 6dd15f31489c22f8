"""Drafts that the drift mode `evolve` lets in by itself: proven, and applied by that policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.errors import CasparianError, ProposalVoid, Refused, VerdictContradicted
from casparian_flow.core.proposal_bodies import body_of
from casparian_flow.core.proposals import Kind, Origin, Risk, State, label
from casparian_flow.operations.context import Acting
from casparian_flow.schema.compatibility import risk_of
from casparian_flow.sentinel.governance.affected import operations_of
from casparian_flow.sentinel.governance.applying import Applied, apply
from casparian_flow.sentinel.governance.authority import Policy, Rule, check_policy
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store.engine import AnyRow

_UNDECIDED = {(Kind.AMENDMENT, State.DRAFT), (Kind.CONTRACT, State.PROPOSED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change that was applied, and the replays that read the files again which it touches."""

    proposal: int
    replays: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Evolved:
    """The run and those that read its files again, and for which changes; `notes` say what could not be tried, why."""

    plans: list[int]
    notes: list[str]
    changes: list[Change]


def evolve(acting: Acting, plan: int) -> Evolved:
    """Apply what a run drafted where the mode says so and nothing is lost by it; what cannot be stays proposed.

    One after another: each makes another contract the base of the next. What keeps one of them from being proven keeps
    no other from it, and the run's rows are in their tables anyway: it is noted, not raised.
    """
    tried: set[int] = set()
    plans = [plan]
    changes: list[Change] = []
    troubles: dict[int, str] = {}
    while (found := _next(acting, plans, tried)) is not None:
        number, kind, policy = found
        from casparian_flow.operations.doing.contract.proving import prove  # noqa: PLC0415 - most runs prove nothing

        tried.add(number)
        try:
            if kind is Kind.AMENDMENT and not prove(acting, number):
                continue
            with acting.database.transaction() as connection:
                applied = apply(connection, number, policy, acting.clock())
        except (Refused, VerdictContradicted, ProposalVoid):
            continue  # the proposal says why, and waits for a person
        except CasparianError as exc:
            why = f": {exc.why}" if exc.why else ""
            troubles[number] = f"{label(kind, number)} waits for a person: {exc.message}{why}"
            continue
        acting.report("contract.evolved", {"plan": plan, "table": applied.table or ""})
        replays = _read_again(acting, applied)
        changes.append(Change(proposal=number, replays=tuple(replay.id for replay in replays)))
        plans += [*applied.plans, *(replay.plan_id for replay in replays)]
    with acting.database.transaction() as connection:
        waiting = [row.id for row in proposal_store.touched(connection, plans)]
    return Evolved(plans, [troubles[number] for number in waiting if number in troubles], changes)


def _read_again(acting: Acting, applied: Applied) -> list[AnyRow]:
    """Have the files read that the change touches; the replays that did: what they draft in turn is tried, too."""
    from casparian_flow.operations.doing.approval.deciding import hand_over  # noqa: PLC0415 - most runs change nothing

    with acting.database.transaction() as connection:
        begun = [replay_store.of_plan(connection, plan) for plan in applied.plans]
    hand_over(acting, applied, wait=True)
    with acting.database.transaction() as connection:
        ended = [replay_store.one(connection, replay.id) for replay in begun if replay is not None]
    return [replay for replay in ended if replay is not None]


def _next(acting: Acting, plans: Sequence[int], tried: set[int]) -> tuple[int, Kind, Policy] | None:
    """The next that a policy may decide, with that policy: a draft, or a table that is proposed already."""
    with acting.database.transaction() as connection:
        for row in proposal_store.touched(connection, plans):
            if row.id in tried or row.origin != Origin.SYSTEM or (row.kind, row.state) not in _UNDECIDED:
                continue
            if (policy := _policy(connection, acting, row)) is not None:
                return row.id, Kind(row.kind), policy
    return None


def _policy(connection: Connection, acting: Acting, row: AnyRow) -> Policy | None:
    modes, kind = acting.settings.drift.modes, Kind(row.kind)
    try:
        if kind is Kind.CONTRACT:
            risk = Risk(row.risk)
        else:
            contract = contract_store.of_table(connection, row.table_name)
            if contract is None or not _evolves_at_all(acting, contract):
                return None
            modes, risk = modes.with_overrides(contract.drift), risk_of(contract, operations_of(row.body))
        policy = Policy(rule=Rule.EVOLVE, modes=modes)
        check_policy(policy, kind, row.id, risk, body_of(row.body))
    except CasparianError:  # not for a policy to decide, or not to be done any more
        return None
    return policy


def _evolves_at_all(acting: Acting, contract: Contract) -> bool:
    modes = acting.settings.drift.modes.with_overrides(contract.drift)
    return any(modes.of(axis) is Mode.EVOLVE for axis in Axis)
