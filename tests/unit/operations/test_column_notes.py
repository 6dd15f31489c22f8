"""What is said of a column to whoever asks for it."""

from __future__ import annotations

from builders import HomeBuilder
from casparian_flow.core.contracts import ContractColumn
from casparian_flow.operations.doing.contract.contracts import note_with_file

DATA = b"id\n1\nx-7\n"


def _noted(past: HomeBuilder, sensitivity: str = "internal") -> str:
    with past.database.transaction() as connection:
        hashed = connection.exec_driver_sql("SELECT source_hash FROM scout_hashes").scalar_one()
        column = ContractColumn(
            "id", "string", sensitivity=sensitivity, note=f"would be int64 but for 'x-7' in row 2 of {hashed[:19]}"
        )
        return note_with_file(connection, column)


def test_a_note_names_a_file_that_is_there_before_one_that_changed_or_is_gone(past: HomeBuilder) -> None:
    source = past.source()
    past.version(past.location(source, "a.csv", is_missing=True), DATA)
    assert _noted(past).endswith("/evidence/a.csv")
    changed = past.location(source, "b.csv")
    past.version(changed, DATA)
    past.version(past.location(source, "c.csv"), DATA)
    with past.database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE scout_locations SET current_version_id = NULL WHERE id = {changed}")
    assert _noted(past) == "would be int64 but for 'x-7' in row 2 of /evidence/c.csv"


def test_a_note_on_a_personal_column_holds_no_value_of_it(past: HomeBuilder) -> None:
    past.version(past.location(past.source()), DATA)
    assert _noted(past, "personal") == "would be int64 but for values not shown here"
