"""Contracts written as TOML come back as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.errors import UsageError
from casparian_flow.lab.contract_file import contracts_of_toml, contracts_to_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = TEXT.filter(lambda name: not name.casefold().startswith("_cf_"))
COLUMNS = st.builds(
    ContractColumn,
    name=NAMES,
    type=st.sampled_from(["int64", "string", "decimal(10,2)", "timestamp_tz(UTC)", "list<int64>", "json"]),
    nullable=st.booleans(),
    format=st.none() | TEXT,
    description=TEXT,
    sensitivity=st.sampled_from(["public", "internal", "personal", "secret"]),
    original=st.none() | TEXT,
    note=TEXT,
)
CONTRACTS = st.builds(
    Contract,
    table=TEXT,
    version=st.integers(1, 99),
    columns=st.lists(COLUMNS, min_size=1, max_size=4, unique_by=lambda column: column.name).map(tuple),
    headerless=st.booleans(),
    origin=st.just(Origin.DECLARED),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(CONTRACTS, min_size=1, max_size=3, unique_by=lambda contract: contract.table))
def test_what_is_written_is_read_back(contracts: list[Contract]) -> None:
    assert contracts_of_toml(contracts_to_toml(contracts, ["a heading"])) == contracts


def test_a_contract_keeps_what_it_enforces_on_the_way() -> None:
    drafted = Contract(table="t", version=1, columns=(ContractColumn("when", "date", format="%d/%m/%Y"),))
    (back,) = contracts_of_toml(contracts_to_toml([drafted]))
    assert back.hash == drafted.hash
    assert replace(back, origin=drafted.origin) == drafted


COLUMN = '[[table.column]]\nname = "a"\ntype = "int64"\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "table = 3",
        '[[table]]\nname = "t"\n',
        '[[table]]\nname = "t"\ncolumn = []\n',
        f'[[table]]\nname = "t"\nunknown = 1\n{COLUMN}',
        f'[[table]]\nname = "t"\n{COLUMN}{COLUMN}',
        f'[[table]]\nname = "t"\n{COLUMN}[[table]]\nname = "t"\n{COLUMN}',
        '[[table]]\nname = "t"\n[[table.column]]\nname = "_CF_x"\ntype = "int64"\n',
        '[[table]]\nname = "t"\n[[table.column]]\nname = "a"\ntype = "number"\n',
        "[[table",
    ],
)
def test_what_is_no_contract_is_refused(text: str) -> None:
    with pytest.raises((UsageError, ValueError)):
        contracts_of_toml(text)


@pytest.mark.parametrize(
    "note",
    [
        "would be int64 but for 'x-7; y' in row 3 of /evidence/a.csv",
        "a float would change 0.12345678901234567",
        "holds whole numbers beyond int64, such as 99999999999999999999",
    ],
)
def test_a_note_that_repeats_a_value_of_a_file_is_not_handed_on(note: str) -> None:
    text = contracts_to_toml([Contract(table="t", version=1, columns=(ContractColumn("a", "string", note=note),))])
    assert "note" not in text
