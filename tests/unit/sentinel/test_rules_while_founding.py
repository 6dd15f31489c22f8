"""A rule that is approved while files wait for their first contract: none of them waits for another any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.jobs import JobPhase
from casparian_flow.core.rules import Rule as ValueRule
from casparian_flow.core.rules import RuleKind, UniqueScope
from casparian_flow.protocol.bodies import Cast, Conclude, Dispatch
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.sentinel.planning.catalog import manifest_text
from scripted_worker import ScriptedWorker, SentinelHome, sentinel_home

ALONE = manifest_text(Manifest(name="alone", entry=EntryForm.PARSE, tables="file"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home", with_contract=False) as made:
        yield made


def adopt_ordered(home: SentinelHome, table: str) -> None:
    """Put a contract in force by which the files of a table are read one after another."""
    once = ValueRule("once", RuleKind.UNIQUE, ("number",), scope=UniqueScope.TABLE)
    contract = Contract(table, 1, (ContractColumn("number", "int64"),), origin=Origin.DECLARED, rules=(once,))
    with home.past.database.transaction() as connection:
        adopt(connection, contract, Rule.DECLARED, "parser", home.now_ns)


def was_cast(worker: ScriptedWorker) -> list[int]:
    orders = [message.body.order for message in worker.heard if isinstance(message.body, Dispatch)]
    return [each.job.job for order in orders if isinstance(order, Cast) for each in order.jobs]


def test_files_that_are_read_one_after_another_do_not_wait_for_each_other_at_first_contact(home: SentinelHome) -> None:
    worker = home.worker()
    jobs = home.submit(2, parser=home.past.parser("alone", manifest=ALONE))
    worker.take()
    [first] = worker.orders
    worker.survey(first)
    assert home.told("contract.adopted") == []
    adopt_ordered(home, "a__wide")
    worker.beat(worker.progress(first, JobPhase.SURVEYED))
    assert [values["table"] for values in home.told("contract.adopted")] == ["a"]
    assert was_cast(worker) == [first]
    worker.seal(first)
    worker.about(Opcode.CONCLUDE, Conclude(), first)
    worker.beat()
    assert set(worker.orders) == set(jobs)
