"""What a world holds after all: rows, states of jobs, and files that nobody needs."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.outputs import Role
from casparian_flow.sinks.layout import TableFolder, number_of
from casparian_flow.sinks.log import parse_entry
from product import Product

from .scenarios import Scenario, World

_AT_REST = {"home/lock", "home/state.sqlite3"}
_ENDS = ("completed", "aborted", "failed")
_AFTER_A_LOSS_OF_POWER = {"out/db.wal.torn"}
"""The log of a DuckDB file as it was before it was cut off where the first of its entries is not whole."""
_AFTER_A_SERVICE = {"home/run/control.sock", "home/workers/scratch/0/lock"}


@dataclass(frozen=True, slots=True)
class Found:
    """`rows` by table; `states` counts jobs; `litter` are files that should not be there, `trouble` is said of logs."""

    rows: dict[str, list[str]]
    states: dict[str, int]
    litter: list[str]
    trouble: list[str]

    def differs_from(self, quiet: Found) -> list[str]:
        """In which respects it is not what a quiet run leaves."""
        broken = list(self.trouble)
        for table in sorted({*self.rows, *quiet.rows}):
            here, there = Counter(self.rows.get(table, ())), Counter(quiet.rows.get(table, ()))
            if here != there:
                broken.append(f"{table}: too many {dict(here - there)}, missing {dict(there - here)}")
        if self.states.get("completed", 0) != quiet.states.get("completed", 0):
            broken.append(f"jobs are {self.states}, and were {quiet.states}")
        if odd := set(self.states).difference(_ENDS):
            broken.append(f"jobs are left {odd}")
        if self.litter:
            broken.append(f"left behind: {self.litter}")
        return broken


def is_over(world: World) -> bool:
    """Whether no job is left that may go on."""
    with closing(sqlite3.connect(world.home / "state.sqlite3")) as state:
        return not state.execute(f"SELECT 1 FROM cf_jobs WHERE state NOT IN {_ENDS} LIMIT 1").fetchall()


def look(world: World, scenario: Scenario) -> Found:
    """Everything that counts."""
    with closing(sqlite3.connect(world.home / "state.sqlite3")) as state:
        states: dict[str, int] = dict(state.execute("SELECT state, count(*) FROM cf_jobs GROUP BY state").fetchall())
        trouble = [f"the state is damaged: {row}" for (row,) in state.execute("PRAGMA integrity_check") if row != "ok"]
        unrecorded = state.execute("SELECT count(*) FROM cf_commits WHERE NOT is_recorded").fetchone()[0]
    if unrecorded:
        trouble.append(f"{unrecorded} commits are not recorded")
    rows = Product(world.home).content(world.uri(scenario.scheme))
    named, odd = _named(world.out) if scenario.scheme in ("parquet", "csv") else ({"db"}, [])
    allowed = _AT_REST | {f"out/{name}" for name in named}
    paths = [path for place in (world.home, world.out) for path in place.rglob("*")]
    here = {str(path.relative_to(world.folder)) for path in paths if not path.is_dir() or not any(path.iterdir())}
    missing = [f"{name} is missing" for name in sorted(allowed - here)]
    return Found(
        rows, states, sorted(here - allowed - _AFTER_A_SERVICE - _AFTER_A_LOSS_OF_POWER), trouble + odd + missing
    )


def _named(out: Path) -> tuple[set[str], list[str]]:
    """The files that the logs of a folder name or are, and what is wrong with the logs."""
    named, trouble = {"_cf/owner.json"}, []
    for log in sorted(out.glob("*/*/_cf/log")):
        table = TableFolder(log.parent.parent)
        base = table.path.relative_to(out)
        named.add(f"{base}/_cf/README")
        numbers = sorted(number for path in log.iterdir() if (number := number_of(path.name)) is not None)
        if numbers != list(range(1, len(numbers) + 1)):
            trouble.append(f"the log of {base} has the numbers {numbers}")
        for path in log.iterdir():
            if number_of(path.name) is None:
                continue
            named.add(str(path.relative_to(out)))
            for file in parse_entry(path.read_bytes(), str(path)).adds:
                named.add(f"{base}/{file.name}")
                if file.name.endswith(".csv"):
                    named.add(f"{base}/{file.name.partition('/')[0]}/schema.json")
        for path in table.checkpoints.glob("*"):
            if re.fullmatch(r"\d{20}\.json", path.name):
                named.add(str(path.relative_to(out)))
    return named, trouble


__all__ = ["Found", "Role", "look"]
