"""What must hold after faults ended: every job is over, tables equal an undisturbed run's, nothing is there twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from casparian_flow.core.outputs import Role
from product import Product

from .corpus import Corpus
from .crew import Crew, Served, wait_for
from .processes import at_home_in, command_of
from .storm import OPEN, Storm

LEASES = 240.0
"""In so many seconds every job is over by itself: some leases, every pause before a further try, slow machines."""


def where(sinks: list[str]) -> list[str]:
    """The words of a command line that have tables land there."""
    return [word for sink in sinks for word in ("--sink", sink)]


def run_all(product: Product, corpus: Corpus, sinks: list[str]) -> int:
    """Bring every table up to date with the files that are there; how many files that took."""
    plain = product.run(str(corpus.plain), *where(sinks))
    odd = product.run(str(corpus.odd), "--parser", str(corpus.parser), *where(sinks))
    return int(plain["run"]) + int(odd["run"])


def everything_ends_by_itself(crew: Crew, storm: Storm) -> None:
    """No job and no run stays open, and no command waits for ever."""
    product = crew.product

    def open_jobs() -> list[object]:
        storm.hear()
        crew.mend()
        return [
            *product.asked(
                f"SELECT id, state, attempt, phase, failures, error_code, worker FROM cf_jobs WHERE state IN {OPEN}"
            ),
            *product.asked("SELECT plan_id FROM cf_runs WHERE finished_at_ns IS NULL"),
        ]

    wait_for(
        lambda: not open_jobs() and not crew.asking,
        "",
        LEASES,
        more=lambda: f"not over: {open_jobs()}, asking: {[each.args for each in crew.asking]}",
    )


def people_put_right(crew: Crew, corpus: Corpus, sinks: list[str]) -> None:
    """What people do afterwards: let parsers that were paused run, try again what was given up, run once more."""
    product = crew.product
    for (name,) in product.asked("SELECT DISTINCT name FROM cf_parsers WHERE paused_at_ns IS NOT NULL"):
        product("parser", "resume", name, expect=[0])
    run_all(product, corpus, sinks)
    for _ in range(4):
        given_up = [
            str(job)
            for (job,) in product.asked(
                "SELECT max(j.id) FROM cf_jobs j JOIN scout_locations l ON l.id = j.location_id"
                " AND l.current_version_id = j.version_id WHERE NOT EXISTS (SELECT 1 FROM cf_jobs o WHERE"
                " o.source_hash = j.source_hash AND o.parser_id = j.parser_id AND o.state = 'completed')"
                " GROUP BY j.location_id"
            )
        ]
        if given_up:
            product("jobs", "retry", *given_up, "--wait", "--json", expect=[0, 1, 3])
        for (name,) in product.asked("SELECT DISTINCT name FROM cf_parsers WHERE paused_at_ns IS NOT NULL"):
            product("parser", "resume", name, expect=[0])
        if run_all(product, corpus, sinks) == 0:
            return
    raise AssertionError("there is always something to run")


def answers_to_cancels_were_true(storm: Storm) -> None:
    """Who was told that a job stops finds it aborted, and who was told that it is too late finds it landed."""
    states = dict(storm.crew.product.asked("SELECT CAST(id AS TEXT), state FROM cf_jobs"))
    for job, outcomes in storm.cancelled.items():
        if job in storm.retried:
            continue
        if "too-late" in outcomes:
            assert states[job] == "completed", f"job {job} is {states[job]} though {outcomes}"
        if {"aborted", "stopping"} & set(outcomes):
            assert states[job] == "aborted", f"job {job} is {states[job]} though {outcomes}"


def tables_equal(product: Product, sinks: list[str], oracle: Product, expected: str) -> None:
    """Every table in every sink holds what the undisturbed run has, cell by cell; one whose rows all went may stay."""
    wanted = _filled(oracle, expected)
    for sink in sinks:
        found = _filled(product, sink)
        assert found.keys() == wanted.keys(), f"{sink}: {found.keys() ^ wanted.keys()}"
        for table, rows in wanted.items():
            more, less = Counter(found[table]) - Counter(rows), Counter(rows) - Counter(found[table])
            assert not more and not less, (
                f"{sink}, {table}: {len(found[table])} rows instead of {len(rows)}\n"
                f"too many: {list(more)[:3]}\nmissing: {list(less)[:3]}"
            )


def _filled(product: Product, sink: str) -> dict[str, list[str]]:
    return {table: rows for table, rows in product.content(sink).items() if rows}


def nothing_is_there_twice(product: Served, sinks: list[str]) -> None:
    """No row and no job is in a table twice, and what the state proves is what is visible."""
    completed = {job for (job,) in product.asked("SELECT id FROM cf_jobs WHERE state = 'completed'")}
    for sink in sinks:
        for role in Role:
            for name in product.tables(role, sink):
                table = product.table(name, role, sink)
                rows = Counter(zip(*(table[c].to_pylist() for c in ("_cf_source_hash", "_cf_source_row")), strict=True))
                twice = [row for row, count in rows.items() if count > 1]
                assert not twice, f"{sink}, {role} {name}: twice {twice[:3]}"
                assert set(table["_cf_job_id"].to_pylist()) <= completed, (
                    f"{sink}, {role} {name}: jobs that did not land"
                )
                of_jobs = Counter(table["_cf_job_id"].to_pylist())
                column = "accepted" if role is Role.ACCEPTED else "quarantined"
                proven = dict(
                    product.asked(
                        f"SELECT job_id, {column} FROM cf_materializations"
                        " WHERE sink_uri = ? AND table_name = ? AND is_current",
                        sink,
                        name,
                    )
                )
                visible = {job: rows for job, rows in proven.items() if rows}
                assert dict(of_jobs) == visible, f"{sink}, {role} {name}: proven {visible}, visible {dict(of_jobs)}"
    for twice in product.asked(
        "SELECT sink_uri, table_name, role, job_id, attempt, COUNT(*) FROM cf_commits WHERE job_id IS NOT NULL"
        " GROUP BY 1, 2, 3, 4 HAVING COUNT(*) > 1"
    ):
        raise AssertionError(f"committed twice: {twice}")
    assert not product.asked("SELECT id FROM cf_commits WHERE NOT is_recorded"), "permitted and never recorded"
    for sink, table, role, count, last in product.asked(
        "SELECT sink_uri, table_name, role, COUNT(*), MAX(seq) FROM cf_commits GROUP BY 1, 2, 3"
    ):
        assert count == last, f"{sink}, {role} {table}: {count} entries up to number {last}"


def counts_agree(product: Served, sinks: list[str]) -> None:
    """Whoever asks with SQL is told as many rows as the sink reads."""
    for name in product.tables(Role.ACCEPTED, sinks[0]):
        asked = product("sql", f'SELECT count(*) AS n FROM "{name}"', "--json", expect=[0]).json
        [told] = [row["n"] if isinstance(row, dict) else row[0] for row in asked["rows"]]
        assert int(told) == product.table(name, sink=sinks[0]).num_rows, name


def nothing_is_left(crew: Crew) -> None:
    """Nobody runs that should not, and no file is there that nobody names; the sentinel has ended."""
    wait_for(lambda: not _left(crew), "", 20, more=lambda: f"processes are left: {_left(crew)}")
    passing = [path.name for path in crew.product.passing.iterdir()]
    assert not passing, f"passing files are left: {passing[:5]}"
    scratch = [str(path) for path in crew.product.home.rglob("scratch/*/scratch/*")]
    assert not scratch, f"scratch files are left: {scratch[:5]}"


def unnamed_files(product: Served, sinks: list[str]) -> list[Path]:
    """Data files in folders that no entry of a log names, and staged files beside databases."""
    found = []
    for sink in sinks:
        place = Path(sink.partition("://")[2])
        if sink.startswith(("parquet", "csv")):
            named = {word for path in place.rglob("_cf/log/*.json") for word in _names(json.loads(path.read_text()))}
            suffix = ".parquet" if sink.startswith("parquet") else ".csv"
            found += [path for path in place.rglob(f"*{suffix}") if path.name not in {Path(n).name for n in named}]
        else:
            found += [path for path in place.parent.rglob(f"*{place.name}*") if path != place and path.is_file()]
            found += list(place.parent.glob(f".{place.name}*/**/*.parquet"))
    return found


def _names(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)


def _left(crew: Crew) -> list[str]:
    """Parsers, and while nobody was killed who looks after them, what parsers started in sessions of their own."""
    found = [(process, command_of(process)) for process in at_home_in(crew.product.home.parent)]
    return [f"{process}: {' '.join(command)}" for process, command in found if command[:1] != ["sleep"]]
