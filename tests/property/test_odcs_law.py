"""The law of contracts as files: what another tool is given by the standard is, read back, the same contract."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import files
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from jsonschema import Draft201909Validator

from any_contract import contracts
from casparian_flow.core.contracts import Contract, ContractState, Origin
from casparian_flow.operations.doing.contract.yaml_text import read_yaml, yaml_text
from casparian_flow.schema.odcs import to_odcs
from casparian_flow.schema.odcs_reading import from_odcs


def published_schema() -> Draft201909Validator:
    """The JSON Schema of the standard, as its own package brings it."""
    [path] = [each for each in files("open-data-contract-standard") or () if each.name == "schema.json"]
    return Draft201909Validator(json.loads(path.read_text()))


SCHEMA = published_schema()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contract=contracts())
def test_a_contract_survives_the_standard_and_fits_its_schema(contract: Contract, tmp_path_factory: object) -> None:
    document, unmapped = to_odcs(contract, "home/table", ContractState.APPLIED)
    SCHEMA.validate(document)
    path = Path(tmp_path_factory.mktemp("odcs") / "contract.yaml")  # type: ignore[attr-defined]
    path.write_text(yaml_text(document), encoding="utf-8")
    [back], left = from_odcs(read_yaml(path))
    assert replace(back, version=contract.version, origin=contract.origin) == contract
    assert (back.origin, left) == (Origin.APPROVED, [])
    told = {each.where for each in unmapped}
    assert {f"{contract.table}.rules.{rule.name}" for rule in contract.rules} <= told
    assert {f"{contract.table}.{c.name}.format" for c in contract.columns if c.format} <= told
    assert [each for each in unmapped if each.what.startswith("left out")] == [unmapped[0]]  # its origin
