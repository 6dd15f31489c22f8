"""How what `operations.parser.proposal` names is done."""

from __future__ import annotations

import json

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.artifacts import ParserArtifact, ParserStatus
from casparian_flow.core.errors import NotFound, UsageError, VerificationFailed
from casparian_flow.core.proofs import Empirical, Impact, Promise
from casparian_flow.core.proposal_bodies import Activation, body_of, request_signature
from casparian_flow.core.proposals import LIVING, MOVES, Kind, Origin, Risk, State
from casparian_flow.operations.approval.proposals import ProposalDetail
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.approval.proposal_view import detail
from casparian_flow.operations.doing.rehearsal.backtest import named_backtest
from casparian_flow.operations.parser.proposal import ProposeParser
from casparian_flow.publish.check import check_parser
from casparian_flow.publish.discover import FoundParser, plugin_parsers, shipped_parsers
from casparian_flow.sentinel.governance.upgrades import Upgrade, upgrade_of
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.sentinel.planning.registered import registered_of
from casparian_flow.store import parsers as parser_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store.backtests import Totals
from casparian_flow.store.proposals import Draft, Proof
from casparian_flow.store.views import backtests as backtest_view
from casparian_flow.store.views import proposals as view

REPLACED = "another artifact of the parser was proposed"
MOST_PROMISED = 1000
"""Files of which a proposal says what they bring."""


def propose(acting: Acting, request: ProposeParser) -> ProposalDetail:
    """Put the artifact that lies among the plugins before those who decide; asked twice it is one proposal.

    Raises NotFound, UsageError for one that is active, VerificationFailed for one that holds what no parser needs, and
    what keeps it from being a parser.
    """
    found = _plugin(acting, request.parser)
    registered = registered_of(found)
    if check_parser(found.path).is_refused:
        raise VerificationFailed(
            f"{request.parser} holds what no parser needs",
            where=str(found.path),
            fix=f"casparian parser check {request.parser}",
        )
    artifact, now = registered.artifact, acting.clock()
    with acting.database.transaction() as connection:
        number, status = parser_store.register(connection, artifact, manifest_text(registered.manifest), now)
        if status is ParserStatus.ACTIVE:
            raise UsageError(f"{artifact.label} is active already", fix=f"casparian parser show {request.parser}")
        proof = Proof(risk=Risk.RESTRICTIVE, impact=_impact(upgrade_of(connection, number)))
        if request.backtest is not None:
            proof = _tried(connection, named_backtest(connection, request.backtest), artifact, number)
        _end_others(connection, artifact, now)
        wanted = _draft(acting, artifact, number, request)
        if request.backtest is not None and (known := proposal_store.living(connection, wanted.signature)) is not None:
            proposal_store.move(connection, known.id, State.VOID, now, why=f"tried anew in {request.backtest}")
        proposal = proposal_store.draft(connection, wanted, now)
        if State.PROPOSED in MOVES[State(proposal_store.one(connection, proposal).state)]:
            proposal_store.propose(connection, proposal, proof, now)
        return detail(connection, proposal)


def _impact(found: Upgrade, promises: tuple[Promise, ...] = (), *, released: int = 0, newly_failing: int = 0) -> Impact:
    """What is read again as soon as the parser may run."""
    return Impact(
        released=released,
        newly_failing=newly_failing,
        files_reopened=len(found.jobs),
        bytes_to_read=found.bytes,
        outputs=found.tables,
        replays=promises,
    )


def _tried(connection: Connection, row: RowMapping, artifact: ParserArtifact, number: int) -> Proof:
    """What a backtest of exactly this artifact says.

    It keeps all rows only if every file was tried whose rows are there, whichever files were asked for, and came out
    without a row that is lost, changed or rejected now.
    """
    totals = Totals(**json.loads(row["totals"]))
    if (row["artifact_hash"], row["env_hash"]) != (artifact.artifact_hash, artifact.env_hash):
        raise UsageError(
            f"the backtest is of another artifact than {artifact.label}", fix=f"casparian backtest {artifact.name}"
        )
    if row["ended_at_ns"] is None or json.loads(row["config"]):
        raise UsageError(
            "only a backtest that ended, without options, says what the parser does by itself",
            fix=f"casparian backtest {artifact.name}",
        )
    is_whole = totals.files > totals.not_run == 0 and row["stop_reason"] is None
    empirical = Empirical(
        newly_failing=totals.lost + totals.quarantined,
        released=totals.released,
        files_read=totals.files - totals.not_run,
        is_complete=is_whole and not backtest_view.untried(connection, row["id"], artifact.name),
    )
    is_harmless = empirical.is_complete and not (empirical.newly_failing or totals.changed or totals.failed)
    found = upgrade_of(connection, number)
    return Proof(
        risk=Risk.LOSSLESS if is_harmless else Risk.RESTRICTIVE,
        empirical=empirical,
        impact=_impact(
            found,
            _promises(connection, row, found),
            released=totals.released,
            newly_failing=empirical.newly_failing,
        ),
    )


def _promises(connection: Connection, backtest: RowMapping, found: Upgrade) -> tuple[Promise, ...]:
    """What the backtest says of files that are read again; of the first thousand, so that who decides can look."""
    jobs = replay_store.old_jobs(connection, found.jobs[:MOST_PROMISED])
    hashes = {job.source_hash for job in jobs.values()}
    expected, contracts = backtest_view.expected(connection, backtest["id"], hashes), json.loads(backtest["contracts"])
    return tuple(
        Promise(
            version=job.version_id,
            job=job.id,
            table=table,
            accepted=its.accepted,
            quarantined=its.quarantined,
            row_digest=its.row_digest,
            contract=contracts.get(table, ""),
        )
        for job in jobs.values()
        for table, its in sorted(expected.get(job.source_hash, {}).items())
    )


def _plugin(acting: Acting, name: str) -> FoundParser:
    for each in plugin_parsers(acting.home.plugins):
        if name == (each.manifest.name if each.manifest else each.path.stem):
            return each
    if any(each.manifest and each.manifest.name == name for each in shipped_parsers()):
        raise UsageError(f"{name} is shipped with the product, and active")
    raise NotFound(
        f"there is no parser {name} among the plugins", where=str(acting.home.plugins), fix="casparian parser list"
    )


def _draft(acting: Acting, artifact: ParserArtifact, number: int, request: ProposeParser) -> Draft:
    body = Activation(
        parser=artifact.name,
        version=artifact.version,
        artifact_hash=artifact.artifact_hash,
        env_hash=artifact.env_hash,
    )
    return Draft(
        kind=Kind.PARSER,
        signature=request_signature(Kind.PARSER, artifact.name, artifact.artifact_hash, body),
        table=None,
        subject=str(number),
        base_digest=artifact.artifact_hash,
        body=body,
        origin=Origin.PERSON,
        proposed_by=acting.actor,
        reason=" ".join(filter(None, [request.reason.strip(), request.backtest and f"(backtest {request.backtest})"])),
    )


def _end_others(connection: Connection, artifact: ParserArtifact, now_ns: int) -> None:
    """Nobody is to decide about an artifact any more that lay there before."""
    for row in view.list_proposals(connection, kind=Kind.PARSER, states=sorted(LIVING)):
        body = body_of(row["body"])
        assert isinstance(body, Activation)  # as of every proposal of that kind
        is_other = (body.artifact_hash, body.env_hash) != (artifact.artifact_hash, artifact.env_hash)
        if body.parser == artifact.name and is_other:
            proposal_store.move(connection, row["id"], State.VOID, now_ns, why=REPLACED)
