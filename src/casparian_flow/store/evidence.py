"""What the jobs say for a proposal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, literal_column, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert

from casparian_flow.core.proofs import Evidence
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared, each_of
from casparian_flow.store.tables import jobs, materializations, parsers, proposal_evidence, proposals
from casparian_flow.store.tables.governance import IS_LIVING

_given = upsert(proposal_evidence).values({column.name: bindparam(column.name) for column in proposal_evidence.c})
ADD = Prepared(
    _given.on_conflict_do_update(
        index_elements=["proposal_id", "job_id"],
        set_={"rows": _given.excluded.rows, "samples": _given.excluded.samples},
        where=proposal_evidence.c.is_signed.is_(False),
    )
)
OF_PROPOSAL = (
    select(proposal_evidence)
    .where(proposal_evidence.c.proposal_id == bindparam("proposal"))
    .order_by(proposal_evidence.c.rows.desc(), proposal_evidence.c.job_id)
)
SIGNED_PART = OF_PROPOSAL.where(proposal_evidence.c.is_signed.is_(True))
_of = proposal_evidence.c.proposal_id == bindparam("proposal")
_by_bytes = (
    select(func.max(proposal_evidence.c.rows).label("rows")).where(_of).group_by(proposal_evidence.c.source_hash)
)
"""The same bytes, read again by another job, say the same once more."""
_of_all = _by_bytes.subquery()
_of_signed = _by_bytes.where(proposal_evidence.c.is_signed.is_(True)).subquery()
COUNT = (
    update(proposals)
    .where(proposals.c.id == bindparam("proposal"))
    .values(
        evidence_rows=select(func.coalesce(func.sum(_of_all.c.rows), 0)).scalar_subquery(),
        evidence_files=select(func.count()).select_from(_of_all).scalar_subquery(),
    )
)
SIGN = update(proposal_evidence).where(_of).values(is_signed=True)
SIGNED = select(func.coalesce(func.sum(_of_signed.c.rows), 0), func.count()).select_from(_of_signed)
_brought = select(materializations.c.id).where(materializations.c.job_id == proposal_evidence.c.job_id)
_is_gone = exists(_brought) & ~exists(_brought.where(materializations.c.is_current.is_(True)))
"""Whether nothing shows what the job brought any more: its bytes were read again, or are there no longer."""
DROP_GONE = delete(proposal_evidence).where(_of, proposal_evidence.c.is_signed.is_(False), _is_gone)
LEFT = select(proposal_evidence.c.job_id).where(_of, ~_is_gone).limit(1)
RECEIPTS_LEFT = (
    select(jobs.c.receipt)
    .join(proposal_evidence, proposal_evidence.c.job_id == jobs.c.id)
    .where(_of, ~_is_gone, jobs.c.receipt.is_not(None))
    .limit(bindparam("most"))
)
TOUCH_LOSING = Prepared(
    update(proposals)
    .where(
        text(IS_LIVING),
        proposals.c.kind.in_([literal_column("'amendment'"), literal_column("'contract'")]),
        proposals.c.origin == literal_column("'system'"),
        exists(
            select(proposal_evidence.c.job_id).where(
                proposal_evidence.c.proposal_id == proposals.c.id, proposal_evidence.c.job_id.in_(each_of("of_jobs"))
            )
        ),
    )
    .values(touched_by_plan=bindparam("plan"))
)
_by_parser = (
    select(proposal_evidence.c.proposal_id)
    .join(jobs, jobs.c.id == proposal_evidence.c.job_id)
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(proposal_evidence.c.proposal_id == proposals.c.id, parsers.c.name == bindparam("parser"))
)
DRAFTS_OF_PARSER = select(func.count()).where(
    text(IS_LIVING),
    proposals.c.kind == literal_column("'contract'"),
    proposals.c.origin == literal_column("'system'"),
    proposals.c.survey.is_not(None),
    exists(_by_parser),
)
PARSERS_BEHIND = (
    select(jobs.c.parser_id)
    .join(proposal_evidence, proposal_evidence.c.job_id == jobs.c.id)
    .where(_of)
    .distinct()
    .order_by(jobs.c.parser_id)
)
LOWER = (
    update(proposal_evidence)
    .where(_of, proposal_evidence.c.job_id == bindparam("of_job"))
    .values(rows=func.min(proposal_evidence.c.rows, bindparam("most")))
)
DROP_SAID = delete(proposal_evidence).where(_of, proposal_evidence.c.job_id == bindparam("of_job"))
HAND_OVER = insert(proposal_evidence).from_select(
    ["proposal_id", "job_id", "source_hash", "rows", "samples", "is_signed"],
    select(
        bindparam("heir"),
        proposal_evidence.c.job_id,
        proposal_evidence.c.source_hash,
        proposal_evidence.c.rows,
        proposal_evidence.c.samples,
        literal_column("0"),
    ).where(_of, ~_is_gone),
)


def add_evidence(connection: Connection, proposal: int, found: Sequence[Evidence]) -> None:
    """Add what jobs say, each job once: said again it takes the place of what it said, unless that is signed."""
    if found:
        note_evidence(connection, [(proposal, each) for each in found])
        count_evidence(connection, proposal)


def note_evidence(connection: Connection, found: Iterable[tuple[int, Evidence]]) -> None:
    """The same for any number of proposals, whose sums are left as they were: counting takes as long as all of it."""
    ADD.run_all(
        connection,
        [
            {
                "proposal_id": proposal,
                "job_id": each.job,
                "source_hash": each.source_hash,
                "rows": each.rows,
                "samples": json.dumps(list(each.samples), ensure_ascii=False),
                "is_signed": False,
            }
            for proposal, each in found
        ],
    )


def lower_evidence(connection: Connection, proposal: int, most: Mapping[int, int]) -> None:
    """Let each of these jobs say for so many rows at most, and nothing without any; signed or not."""
    for job, rows in sorted(most.items()):
        if rows > 0:
            connection.execute(LOWER, {"proposal": proposal, "of_job": job, "most": rows})
        else:
            connection.execute(DROP_SAID, {"proposal": proposal, "of_job": job})


def count_evidence(connection: Connection, proposal: int) -> None:
    """Bring the sums of a proposal up to date."""
    connection.execute(COUNT, {"proposal": proposal})


def evidence_of(connection: Connection, proposal: int) -> list[Evidence]:
    """All of it, most rows first."""
    return [_evidence(row) for row in connection.execute(OF_PROPOSAL, {"proposal": proposal})]


def signed_part(connection: Connection, proposal: int) -> list[Evidence]:
    """What its digest is about."""
    return [_evidence(row) for row in connection.execute(SIGNED_PART, {"proposal": proposal})]


def _evidence(row: AnyRow) -> Evidence:
    return Evidence(job=row.job_id, source_hash=row.source_hash, rows=row.rows, samples=tuple(json.loads(row.samples)))


def sign_evidence(connection: Connection, proposal: int) -> None:
    """From now on what is there belongs to the digest; what comes later is shown as such."""
    connection.execute(SIGN, {"proposal": proposal})


def signed_evidence(connection: Connection, proposal: int) -> tuple[int, int]:
    """How many rows and files the digest is about: what the margin is measured against."""
    rows, files = connection.execute(SIGNED, {"proposal": proposal}).one()
    return int(rows), int(files)


def touch_losing(connection: Connection, of_jobs: Sequence[int], plan: int) -> None:
    """What these jobs brought is shown no more: the changes that they speak for are the run's to look at."""
    if of_jobs:
        TOUCH_LOSING.run(connection, of_jobs=json.dumps(list(of_jobs)), plan=plan)


def drop_gone(connection: Connection, proposal: int) -> int:
    """Drop what is said by jobs whose rows are not shown any more, unless it is signed; how many these were."""
    return connection.execute(DROP_GONE, {"proposal": proposal}).rowcount


def is_left(connection: Connection, proposal: int) -> bool:
    """Whether a job speaks for it whose rows are shown."""
    return connection.execute(LEFT, {"proposal": proposal}).first() is not None


def receipts_left(connection: Connection, proposal: int, most: int) -> list[str]:
    """What these jobs reported, of so many at most."""
    return list(connection.execute(RECEIPTS_LEFT, {"proposal": proposal, "most": most}).scalars())


def drafts_of_parser(connection: Connection, parser: str) -> int:
    """How many tables that are not decided yet were drafted from outputs of a parser, by its name."""
    return int(connection.execute(DRAFTS_OF_PARSER, {"parser": parser}).scalar_one())


def parsers_behind(connection: Connection, proposal: int) -> list[int]:
    """The artifacts, by their number, whose jobs speak for it."""
    return list(connection.execute(PARSERS_BEHIND, {"proposal": proposal}).scalars())


def hand_over(connection: Connection, proposal: int, heir: int) -> None:
    """Give what still speaks for a proposal that is void to the one that was drafted in its place."""
    connection.execute(HAND_OVER, {"proposal": proposal, "heir": heir})
    connection.execute(COUNT, {"proposal": heir})
