"""How what `operations.rehearsal.backtest` names is done."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.backtests import BacktestOutcome, Basis
from casparian_flow.core.contract_checks import follows_from_file
from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.times import rfc3339
from casparian_flow.lab.rehearsal import Retained
from casparian_flow.lab.rehearsals import Conditions, Rehearsals, StopRules, Tried
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.rehearsal.backtest_corpus import gather_corpus
from casparian_flow.operations.doing.rehearsal.committed_keys import committed_keys
from casparian_flow.operations.doing.slots import slot_count
from casparian_flow.operations.rehearsal.backtest import (
    BacktestComparison,
    BacktestDetail,
    BacktestEntry,
    BacktestList,
    BacktestReply,
    CompareBacktests,
    ComparedFile,
    FileOutcome,
    ListBacktests,
    RunBacktest,
    ShowBacktest,
    TableDigests,
)
from casparian_flow.protocol.messages import Limits
from casparian_flow.publish.discover import named_parser
from casparian_flow.sentinel.home_key import home_key
from casparian_flow.sentinel.planning.registered import Registered, declared_contracts, parser_order, registered_of
from casparian_flow.sentinel.planning.rekeying import Made, Move, rekey
from casparian_flow.sentinel.queue.dispatch import relevant_contracts
from casparian_flow.store import backtests as store
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.replays import Expected
from casparian_flow.store.views import backtests as view

SHOWN = 20
LETTER = "B-"


def run(acting: Acting, request: RunBacktest) -> BacktestReply:
    """Read files as jobs would and compare; raises NotFound where there is nothing to try it on, UsageError."""
    parser = registered_of(named_parser(request.parser, acting.home.plugins, acting.cwd))
    _check_options(parser, request.options)
    with acting.database.transaction() as connection:
        corpus = gather_corpus(acting, connection, parser, request.options, request.on)
        in_force = contract_store.in_force(connection)
        new = store.NewBacktest(
            parser=parser.artifact.name,
            artifact_hash=parser.artifact.artifact_hash,
            env_hash=parser.artifact.env_hash,
            against=corpus.against,
            options=request.options,
            selection={
                "on": list(request.on),
                "max_files": request.max_files,
                "stop_after_lost": request.stop_after_lost,
                "stop_failing": request.stop_failing,
            },
            asked_by=acting.actor,
        )
        number = store.begin(connection, new, acting.clock())

    def contracts_of(version: Retained) -> dict[str, Contract]:
        declared = declared_contracts(parser, version.base_table)
        return declared | relevant_contracts(parser, [version.base_table], in_force)

    acting.home.staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="backtest-", dir=acting.home.staging) as scratch:
        with acting.database.transaction() as connection:
            keys_of = committed_keys(acting, connection, in_force, Path(scratch))
        rehearsals = Rehearsals(
            Conditions(
                parser=parser_order(parser, dict(request.options)),
                contracts_of=contracts_of,
                modes=acting.settings.drift.modes,
                pseudonym_key=home_key(acting.home, acting.database).needed_by(in_force.values()),
                limits=Limits(
                    job_seconds=acting.settings.run.job_seconds, memory_bytes=acting.settings.run.memory_mb << 20
                ),
                scratch=Path(scratch),
                workers=slot_count(acting, request.workers),
                keys_of=keys_of,
            ),
            StopRules(most_files=request.max_files, lost=request.stop_after_lost, failing=request.stop_failing),
        )
        contracts: dict[str, str] = {}
        kept, same = [], []
        for tried in rehearsals.each(corpus.subjects):
            contracts |= {table: contract.hash for table, contract in tried.contracts.items()}
            kept.append(_kept(tried))
            if request.rekey and tried.outcome is BacktestOutcome.SAME:
                same.append(tried)
            acting.report("backtest.progressed", {"done": len(kept), "total": len(corpus.subjects)})
    with acting.database.transaction() as connection:
        rekeyed = _rekey(connection, parser, same, contracts, number, acting.clock())
        totals = _totals(kept, rekeyed)
        store.end(connection, number, kept, totals, contracts, rehearsals.stop_reason, acting.clock())
        row = view.one(connection, number)
        files = [_outcome(each) for each in view.files_of(connection, number)]
    assert row is not None
    worst = [each for each in files if each.outcome in (BacktestOutcome.FAILED, BacktestOutcome.CHANGED)]
    worst.sort(key=lambda each: (-each.lost, -each.changed, -each.quarantined, each.outcome != BacktestOutcome.FAILED))
    entry = _entry(row)
    return BacktestReply(backtest=entry, worst=worst[:SHOWN], next=f"casparian backtest show {entry.backtest}")


def list_(reading: Reading, _request: ListBacktests) -> BacktestList:
    """Every backtest, newest first."""
    return BacktestList(backtests=[_entry(row) for row in view.list_backtests(reading.connection)])


def show(reading: Reading, request: ShowBacktest) -> BacktestDetail:
    """One backtest; raises NotFound."""
    row = named_backtest(reading.connection, request.backtest)
    return BacktestDetail(
        backtest=_entry(row),
        contracts=json.loads(row["contracts"]),
        files=[_outcome(each) for each in view.files_of(reading.connection, row["id"])],
    )


def compare(reading: Reading, request: CompareBacktests) -> BacktestComparison:
    """What two backtests differ in; raises NotFound."""
    before, after = (named_backtest(reading.connection, named) for named in (request.before, request.after))
    sides = [
        {row["version_id"]: _outcome(row) for row in view.files_of(reading.connection, each["id"])}
        for each in (before, after)
    ]
    versions = list(dict.fromkeys([*sides[1], *sides[0]]))
    pairs = [(sides[0].get(version), sides[1].get(version)) for version in versions]
    differing = [
        ComparedFile(path=(new or old).path, before=old, after=new)  # type: ignore[union-attr] # one of them is there
        for old, new in pairs
        if old is None or new is None or _came_to(old) != _came_to(new)
    ]
    return BacktestComparison(
        before=_entry(before), after=_entry(after), alike=len(pairs) - len(differing), files=differing
    )


def _check_options(parser: Registered, options: Collection[str]) -> None:
    known = sorted(parser.manifest.options)
    for option in options:
        if option not in known:
            raise UsageError(
                f"the parser {parser.artifact.name} has no option {option}",
                why=f"known options: {', '.join(known) or 'none'}",
            )


def named_backtest(connection: Connection, named: str) -> RowMapping:
    """The backtest that a person means by B-4, 4 or @last; raises NotFound."""
    text = named.strip().upper().removeprefix(LETTER)
    number = view.nth_newest(connection, 0) if named == "@last" else None
    if text.isascii() and text.isdigit() and len(text) < 19:
        number = int(text)
    row = None if number is None else view.one(connection, number)
    if row is None:
        raise NotFound(f"there is no backtest {named}", fix="casparian backtest list")
    return row


def _kept(tried: Tried) -> store.KeptFile:
    error = tried.error
    return store.KeptFile(
        version=tried.subject.bytes.version,
        outcome=tried.outcome,
        gained=tried.difference.gained,
        lost=tried.difference.lost,
        changed=tried.difference.changed,
        quarantined=tried.difference.quarantined,
        released=tried.difference.released,
        digests=tried.difference.digests,
        expected=_expected(tried),
        error=None if error is None else ": ".join(filter(None, [error.message, error.why])),
    )


def _expected(tried: Tried) -> dict[str, Expected]:
    """What a replay of the file would bring, of the tables whose rows follow from the file alone."""
    return {
        table: Expected(accepted, rejected, tried.difference.digests[table][1] or None)
        for table, (accepted, rejected) in tried.brought.items()
        if table not in tried.contracts or follows_from_file(tried.contracts[table])
    }


def _rekey(
    connection: Connection,
    parser: Registered,
    same: Sequence[Tried],
    contracts: Mapping[str, str],
    backtest: int,
    now_ns: int,
) -> int:
    """Let files that came out the same count as read this way; how many were not already.

    What is there is looked up again, now that nobody can change it: rows that are others by now stay as they are.
    """
    of_hash = {tried.subject.bytes.source_hash: tried for tried in same}
    moves, moved = [], set()
    for row in view.there(connection, parser.artifact.name):
        if (tried := of_hash.get(row.source_hash)) is None:
            continue
        old, new = tried.difference.digests.get(row.table_name, ("", ""))
        if row.accepted and old != row.row_digest:
            continue
        made = Made(
            artifact_hash=parser.artifact.artifact_hash,
            env_hash=parser.artifact.env_hash,
            config_hash=tried.subject.config_hash,
            contract_hash=contracts.get(row.table_name, row.contract_hash),
        )
        if made != Made(**{each.name: getattr(row, each.name) for each in fields(Made)}):
            moves.append(Move(materialization=row, made=made, row_digest=new if row.accepted else row.row_digest))
            moved.add(row.source_hash)
    rekey(connection, moves, Basis.DIGEST, now_ns, backtest=backtest)
    return len(moved)


def _totals(files: Sequence[store.KeptFile], rekeyed: int) -> store.Totals:
    def count(outcome: BacktestOutcome) -> int:
        return sum(file.outcome is outcome for file in files)

    return store.Totals(
        files=len(files),
        same=count(BacktestOutcome.SAME),
        differing=count(BacktestOutcome.CHANGED),
        failed=count(BacktestOutcome.FAILED),
        not_run=count(BacktestOutcome.NOT_RUN),
        gained=sum(file.gained for file in files),
        lost=sum(file.lost for file in files),
        changed=sum(file.changed for file in files),
        quarantined=sum(file.quarantined for file in files),
        released=sum(file.released for file in files),
        rekeyed=rekeyed,
    )


def _entry(row: RowMapping) -> BacktestEntry:
    totals = asdict(store.Totals(**json.loads(row["totals"])))
    return BacktestEntry(
        backtest=f"{LETTER}{row['id']}",
        parser=row["parser_name"],
        artifact=row["artifact_hash"],
        against=row["against_hash"],
        options=json.loads(row["config"]),
        on=json.loads(row["selection"])["on"],
        **totals,
        stop_reason=row["stop_reason"],
        asked_by=row["asked_by"],
        started=rfc3339(row["started_at_ns"]),
        ended=None if row["ended_at_ns"] is None else rfc3339(row["ended_at_ns"]),
    )


def _outcome(row: RowMapping) -> FileOutcome:
    digests = json.loads(row["digests"])
    return FileOutcome(
        path=row["path"],
        outcome=BacktestOutcome(row["outcome"]),
        gained=row["gained"],
        lost=row["lost"],
        changed=row["changed"],
        quarantined=row["quarantined"],
        released=row["released"],
        digests=[TableDigests(table=table, old=old, new=new) for table, (old, new) in digests.items()],
        error=row["error"],
    )


def _came_to(file: FileOutcome) -> Iterable[object]:
    counts = (file.gained, file.lost, file.changed, file.quarantined, file.released)
    return (file.outcome, counts, [(each.table, each.new) for each in file.digests], file.error)
