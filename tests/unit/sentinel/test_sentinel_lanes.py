"""Jobs whose rows are compared with those of their table go one after another; all others are in nobody's way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builders import HomeBuilder
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.publish.manifest import read_manifest
from casparian_flow.sentinel.planning.registered import Registered
from casparian_flow.sentinel.queue.lanes import exclusive, ordered_tables
from casparian_flow.store import jobs as job_store

ONCE = Rule("once", RuleKind.UNIQUE, ("id",), scope=UniqueScope.TABLE)
SALES = Contract("sales", 1, (ContractColumn("id", "int64"),), rules=(ONCE,))
PER_FILE = replace(SALES, table="per_file", rules=(replace(ONCE, scope=UniqueScope.FILE),))
ORDERED = ordered_tables({"sales": SALES, "sales__x": replace(SALES, table="sales__x"), "per_file": PER_FILE})


def a_parser(folder: Path, manifest: str) -> Registered:
    path = folder / "it.py"
    path.write_text(f"MANIFEST = PluginMetadata({manifest})\ndef parse(path): ...\n")
    return Registered(None, read_manifest(path))  # type: ignore[arg-type]


def test_only_rules_about_what_was_committed_order_a_table() -> None:
    assert {"sales", "sales__x"} == ORDERED


def test_a_file_is_in_the_lanes_of_the_tables_that_may_be_named_after_it(tmp_path: Path) -> None:
    parser = a_parser(tmp_path, "tables='file'")
    assert exclusive(ORDERED, parser, "sales") == {"sales", "sales__x"}
    assert exclusive(ORDERED, parser, "sales__x") == {"sales__x"}
    assert exclusive(ORDERED, parser, "sale") == frozenset()


def test_a_parser_that_names_its_tables_is_in_those_that_it_declares_or_in_all(tmp_path: Path) -> None:
    declared = a_parser(tmp_path, "outputs={'Sales': [Column('id')], 'other': []}")
    assert exclusive(ORDERED, declared, "whatever") == {"sales"}
    assert exclusive(ORDERED, a_parser(tmp_path, ""), "whatever") == ORDERED


def test_a_claim_passes_over_the_files_of_a_busy_lane(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        location = past.location(past.source())
        version, parser = past.version(location), past.parser()
        jobs = [
            past.job(location, version, parser, "queued", attempt=0, base_table=base)
            for base in ("sales", "sales", "fw")
        ]
        with past.database.transaction() as connection:
            assert job_store.out(connection) == []
            first = job_store.claim(connection, "w", "s", 100, 50, oldest_first=False)
            assert first is not None and first.id == jobs[0]
            assert [(row.parser_id, row.base_table) for row in job_store.out(connection)] == [(parser, "sales")]
            other = job_store.claim(connection, "w", "s", 100, 50, oldest_first=False, without=["sales"])
            assert other is not None and other.id == jobs[2]
            assert job_store.claim(connection, "w", "s", 100, 50, oldest_first=True, without=["sales"]) is None
            assert job_store.claim_alike(connection, first, "w", "s", 100, 50, 5, without=["sales"]) == []
            assert [row.id for row in job_store.claim_alike(connection, first, "w", "s", 100, 50, 5)] == [jobs[1]]
