"""Homes with thousands of tables: what a new one costs must not grow with those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casparian_flow.core.contract_text import verified
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.sentinel.commit.in_force import InForce
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.store import contracts as contract_store
from scripted_worker import SentinelHome, sentinel_home

ALONE = manifest_text(Manifest(name="alone", entry=EntryForm.PARSE, tables="file"))
TABLES = 12


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home", with_contract=False) as made:
        yield made


def a_contract(table: str) -> Contract:
    return Contract(table, 1, (ContractColumn("number", "int64"),), origin=Origin.DECLARED)


def test_every_contract_is_read_once_however_many_tables_are_founded_one_after_another(
    home: SentinelHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def reading(text: str, digest: str) -> Contract:
        contract = verified(text, digest)
        read.append(contract.table)
        return contract

    monkeypatch.setattr(contract_store, "verified", reading)
    worker = home.worker(slots=2 * TABLES)
    parser = home.past.parser("alone", manifest=ALONE)
    names = [f"t{number}" for number in range(TABLES)]
    for name in names:
        [job] = home.submit(parser=parser, base_table=name)
        worker.take()
        worker.survey(job, base_table=name)
    assert [values["table"] for values in home.told("contract.adopted")] == names
    assert sorted(read) == sorted(names)


def test_contracts_are_near_to_every_base_name_that_begins_their_tables() -> None:
    known = InForce(map(a_contract, ("fw", "fw__0a1b2c", "fw__0a1b2c__x", "fwx", "x")))
    assert set(known.near("fw")) == {"fw", "fw__0a1b2c", "fw__0a1b2c__x"}
    assert set(known.near("fw__0a1b2c")) == {"fw__0a1b2c", "fw__0a1b2c__x"}
    assert known.take("fw__0a1b2c") == a_contract("fw__0a1b2c")
    assert set(known.near("fw")) == {"fw", "fw__0a1b2c__x"}
    assert set(known) == {"fw", "fw__0a1b2c__x", "fwx", "x"}
    assert not known.near("none")
