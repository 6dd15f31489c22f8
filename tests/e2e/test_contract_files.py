"""Contracts as files: what another tool wrote becomes a proposal, and what cannot be meant becomes a clear error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import NOW_NS
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.errors import CasparianError, RuleInvalid, UsageError
from casparian_flow.core.proposals import State
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.operations.contract.interchange import ContractsImported, ExportContract, ImportContract
from casparian_flow.operations.doing.contract.interchange import export, import_
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.sentinel.governance.authority import Rule as Policy
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.settings import Home, Settings
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.views.proposals import list_proposals
from casparian_flow.wiring import open_acting

SALES = Contract(
    "sales",
    1,
    (
        ContractColumn("id", "int64", nullable=False, description="The number", original="Id"),
        ContractColumn("who", "string", sensitivity="personal"),
        ContractColumn("net", "decimal(10,2)"),
    ),
    rules=(Rule("small", RuleKind.RANGE, ("id",), low="0", high="99"),),
    origin=Origin.ADOPTED,
)
FOREIGN = """
apiVersion: v3.0.2
kind: DataContract
id: 53581432-6c55-4ba2-a65f-72344a91553a
version: 1.1.0
status: active
domain: seller
team: [{username: ceastwood}]
schema:
  - name: payments
    description: What was paid
    properties:
      - {name: txn, logicalType: integer, physicalType: INT, required: true, unique: true}
      - name: country
        logicalType: string
        physicalType: VARCHAR(2)
        classification: confidential
        logicalTypeOptions: {minLength: 2, maxLength: 2, pattern: '^[A-Z]+$'}
      - {name: amount, logicalType: number, physicalType: 'DECIMAL(12, 2)', logicalTypeOptions: {minimum: 0}}
      - {name: at, logicalType: date, tags: [x]}
    quality:
      - {metric: rowCount, mustBeGreaterThan: 1}
"""


@dataclass
class Case:
    home: Home
    folder: Path

    def _act(self, function: Callable[[Any], Any]) -> Any:
        with open_acting(self.home, Settings(), self.folder, lambda _event, _values: None) as acting:
            return function(acting)

    def adopt(self, contract: Contract) -> None:
        def act(acting: Any) -> None:
            with acting.database.transaction() as connection:
                adopt(connection, contract, Policy.ADOPT, "first contact", NOW_NS)

        self._act(act)

    def import_(self, text: str, name: str = "in.yaml") -> ContractsImported:
        (self.folder / name).write_text(text)
        return self._act(lambda acting: import_(acting, ImportContract(path=name, reason="agreed")))

    def export(self, table: str) -> dict[str, Any]:
        with open_reading(self.home, Settings(), self.folder) as reading:
            export(reading, ExportContract(table=table, to="out.yaml", overwrite=True))
        return yaml.safe_load((self.folder / "out.yaml").read_text())

    def proposed(self) -> int:
        with open_reading(self.home, Settings(), self.folder) as reading:
            return len(list_proposals(reading.connection, kind=None, states=tuple(State)))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    case = Case(Home(tmp_path / "home"), tmp_path)
    case.adopt(SALES)
    return case


def test_a_file_of_somebody_else_becomes_a_first_contract_and_says_what_it_left_out(case: Case) -> None:
    reply = case.import_(FOREIGN)
    [imported] = reply.imported
    assert imported.proposal is not None
    assert (imported.table, imported.proposal.kind, imported.proposal.state) == ("payments", "contract", "proposed")
    assert {each.where for each in reply.unmapped} == {
        "domain", "team", "payments.description", "payments.quality[0]", "payments.at.tags",
        "payments.country.classification", "payments.country.physicalType", "payments.txn.physicalType",
    }  # fmt: skip
    with open_reading(case.home, Settings(), case.folder) as reading:
        waiting = contract_store.proposed(reading.connection)
        body = contract_store.describe(reading.connection, waiting["payments"]).body
    assert '"decimal(12,2)"' in body and '"personal"' in body and '"country pattern"' in body
    assert case.import_(FOREIGN).imported == [imported]  # asked for twice it is one proposal


def test_a_changed_export_becomes_an_amendment_of_exactly_what_changed(case: Case) -> None:
    document = case.export("sales")
    assert [each.proposal for each in case.import_(yaml.safe_dump(document)).imported] == [None]
    columns = document["schema"][0]["properties"]
    columns[2] |= {"physicalType": "decimal(12,2)"}
    columns.append({"name": "note", "logicalType": "string"})
    del columns[1]["classification"]  # what is not said is not lowered
    columns[0]["description"] = "Another text"
    reply = case.import_(yaml.safe_dump(document))
    [imported] = reply.imported
    assert imported.proposal is not None and imported.proposal.kind == "amendment"
    assert "note" in imported.proposal.what and "net" in imported.proposal.what and "who" not in imported.proposal.what
    assert [each.what for each in reply.unmapped] == ["description of id stays as it is"]


def test_a_file_of_infer_is_a_way_in_too(case: Case) -> None:
    text = '[[table]]\nname = "{}"\n[[table.column]]\nname = "id"\ntype = "int64"\nnullable = false\n'
    [first] = case.import_(text.format("orders"), "orders.toml").imported
    assert first.proposal is not None and first.proposal.kind == "contract"
    more = text.format("sales") + '[[table.column]]\nname = "who"\ntype = "string"\n'
    [change] = case.import_(more, "sales.toml").imported
    assert change.proposal is not None and "net" in change.proposal.what  # it goes; class and rules stay
    assert "who" not in change.proposal.what and "small" not in change.proposal.what


HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: '1'\nstatus: active\n"
COLUMN = "{name: a, logicalType: string}"
HOSTILE = {
    "bomb": "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30)),
    "deep": "[" * 5000,
    "columns": HEAD + "schema: [{name: t, properties: [" + ",".join(f"{{name: c{n}}}" for n in range(20_000)) + "]}]",
    "million": HEAD + "schema: [{name: t, properties: [" + "{name: a}," * 1_000_000 + "]}]",
    "nothing": "",
    "text": "just text",
    "object": "!!python/object/apply:os.system ['true']",
    "other kind": "kind: Other\napiVersion: v3.1.0\n",
    "old": "kind: DataContract\napiVersion: v2.2.2\nschema: []\n",
    "no tables": HEAD + "schema: []",
    "tables as text": HEAD + "schema: yes",
    "no columns": HEAD + "schema: [{name: t, properties: []}]",
    "column as number": HEAD + "schema: [{name: t, properties: [1]}]",
    "name as number": HEAD + "schema: [{name: t, properties: [{name: 1, logicalType: string}]}]",
    "unknown type": HEAD + "schema: [{name: t, properties: [{name: a, logicalType: blob}]}]",
    "no type": HEAD + "schema: [{name: t, properties: [{name: a}]}]",
    "reserved": HEAD + "schema: [{name: t, properties: [{name: _cf_job_id, logicalType: string}]}]",
    "path as table": HEAD + f"schema: [{{name: ../x, properties: [{COLUMN}]}}]",
    "twice a column": HEAD + f"schema: [{{name: t, properties: [{COLUMN}, {COLUMN}]}}]",
    "twice a table": HEAD + f"schema: [{{name: t, properties: [{COLUMN}]}}, {{name: t, properties: [{COLUMN}]}}]",
    "twice a key": HEAD + f"schema: [{{name: t, name: u, properties: [{COLUMN}]}}]",
    "required as text": HEAD + "schema: [{name: t, properties: [{name: a, logicalType: string, required: maybe}]}]",
    "unknown field of a rule": HEAD
    + f"schema: [{{name: t, properties: [{COLUMN}], quality: [{{name: r, type: custom, engine: casparian, "
    "implementation: {kind: pattern, columns: [a], pattern: x, more: 1}}]}]",
    "rule of another column": HEAD
    + f"schema: [{{name: t, properties: [{COLUMN}], quality: [{{name: r, type: custom, engine: casparian, "
    "implementation: {kind: pattern, columns: [b], pattern: x}}]}]",
    "pattern that nobody takes": HEAD
    + "schema: [{name: t, properties: [{name: a, logicalType: string, logicalTypeOptions: {pattern: '(?=x'}}]}]",
    "nan": HEAD
    + "schema: [{name: t, properties: [{name: a, logicalType: integer, logicalTypeOptions: {minimum: .nan}}]}]",
    "huge number": HEAD
    + f"schema: [{{name: t, properties: [{{name: a, logicalType: string, description: {'9' * 5000}}}]}}]",
}  # fmt: skip


def test_what_cannot_be_meant_is_a_clear_error_and_no_proposal(case: Case) -> None:
    before = case.proposed()
    for name, text in HOSTILE.items():
        with pytest.raises(UsageError) as caught:
            case.import_(text)
        assert caught.value.message and len(str(caught.value)) < 400, name
    assert case.proposed() == before


def test_a_file_of_two_tables_is_proposed_whole_or_not_at_all(case: Case) -> None:
    good = f"{{name: good, properties: [{COLUMN}]}}"
    bad = "{name: sales, properties: [{name: id, logicalType: integer}, {name: who, logicalType: string}]}"  # not net
    before = case.proposed()
    with pytest.raises(CasparianError):
        case.import_(
            HEAD + f"schema: [{good}, {{name: bad, properties: [{{name: a, logicalType: string, enum: [{{}}]}}]}}]"
        )
    assert case.proposed() == before
    assert len(case.import_(HEAD + f"schema: [{good}, {bad}]").imported) == 2


def test_a_rule_that_its_column_cannot_keep_is_named(case: Case) -> None:
    document = case.export("sales")
    document["schema"][0]["quality"][0]["implementation"]["low"] = "many"
    with pytest.raises(RuleInvalid, match="small"):
        case.import_(yaml.safe_dump(document))
