"""Backtests: what files would come to, kept so that one can be compared with another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import msgspec
from sqlalchemy import Connection, bindparam, insert, update

from casparian_flow.core.backtests import BacktestOutcome
from casparian_flow.store.replays import Expected
from casparian_flow.store.tables import backtest_files, backtests

ADD = insert(backtests).returning(backtests.c.id)
ADD_FILES = insert(backtest_files)
END = (
    update(backtests)
    .where(backtests.c.id == bindparam("backtest"), backtests.c.ended_at_ns.is_(None))
    .values(
        ended_at_ns=bindparam("now_ns"),
        stop_reason=bindparam("why"),
        totals=bindparam("its_totals"),
        contracts=bindparam("its_contracts"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBacktest:
    """A backtest that begins. `against` is the artifact whose rows are there, None where there is none."""

    parser: str
    artifact_hash: str
    env_hash: str
    against: str | None
    options: Mapping[str, str]
    selection: Mapping[str, object]
    asked_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the files of a backtest: files by what became of them, then rows."""

    files: int = 0
    same: int = 0
    differing: int = 0
    failed: int = 0
    not_run: int = 0
    gained: int = 0
    lost: int = 0
    changed: int = 0
    quarantined: int = 0
    released: int = 0
    rekeyed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """What became of one file version; `digests` are those of the rows of each table, old and new."""

    version: int
    outcome: BacktestOutcome
    gained: int = 0
    lost: int = 0
    changed: int = 0
    quarantined: int = 0
    released: int = 0
    digests: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    expected: Mapping[str, Expected] = field(default_factory=dict)
    """What a replay of it would bring to each table; empty where nobody can say."""
    error: str | None = None


def begin(connection: Connection, backtest: NewBacktest, now_ns: int) -> int:
    """Keep that a backtest began; its id."""
    values = {
        "parser_name": backtest.parser,
        "artifact_hash": backtest.artifact_hash,
        "env_hash": backtest.env_hash,
        "against_hash": backtest.against,
        "config": json.dumps(dict(backtest.options), sort_keys=True),
        "contracts": "{}",
        "selection": json.dumps(dict(backtest.selection), sort_keys=True),
        "started_at_ns": now_ns,
        "totals": json.dumps(asdict(Totals())),
        "asked_by": backtest.asked_by,
    }
    return int(connection.execute(ADD, values).scalar_one())


def end(
    connection: Connection,
    backtest: int,
    files: Iterable[KeptFile],
    totals: Totals,
    contracts: Mapping[str, str],
    why: str | None,
    now_ns: int,
) -> None:
    """Keep what became of every file, in the order of its turn, and the sums; `why` it stopped before its end."""
    rows = [
        {
            "backtest_id": backtest,
            "version_id": file.version,
            "ordinal": ordinal,
            "outcome": file.outcome,
            "gained": file.gained,
            "lost": file.lost,
            "changed": file.changed,
            "quarantined": file.quarantined,
            "released": file.released,
            "digests": json.dumps({table: list(pair) for table, pair in sorted(file.digests.items())}),
            "expected": msgspec.json.encode(dict(file.expected)).decode(),
            "error": file.error,
        }
        for ordinal, file in enumerate(files, 1)
    ]
    if rows:
        connection.execute(ADD_FILES, rows)
    connection.execute(
        END,
        {
            "backtest": backtest,
            "now_ns": now_ns,
            "why": why,
            "its_totals": json.dumps(asdict(totals)),
            "its_contracts": json.dumps(dict(contracts), sort_keys=True),
        },
    )
