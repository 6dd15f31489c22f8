"""Contracts as a TOML file that a person edits, and back."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.errors import UsageError
from casparian_flow.core.lineage import RESERVED_PREFIX
from casparian_flow.core.toml import toml_value
from casparian_flow.core.types import parse_type
from casparian_flow.schema.notes import names_a_value

MAX_BYTES = 4 << 20


class ColumnText(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One `[[table.column]]`; only what differs from the defaults needs to be written."""

    name: str
    type: str
    nullable: bool = True
    format: str | None = None
    description: str = ""
    sensitivity: Literal["public", "internal", "personal", "secret"] = "internal"
    original: str | None = None
    note: str = ""


class TableText(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One `[[table]]`."""

    name: str
    column: list[ColumnText]
    version: int = 1
    headerless: bool = False


class FileText(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    table: list[TableText]


def contracts_to_toml(contracts: Sequence[Contract], heading: Sequence[str] = ()) -> str:
    """The contracts as text; `contracts_of_toml` gives them back, but for their origin and notes that repeat a value.

    Such a file is handed on: what a cell holds, and the path of its file, stay here.
    """
    lines = [f"# {line}" for line in heading]
    for contract in contracts:
        table = TableText(
            name=contract.table,
            version=contract.version,
            headerless=contract.headerless,
            column=[_text(each) for each in contract.columns],
        )
        lines += ["", "[[table]]", *_entries(table, {"column"})]
        for column in table.column:
            lines += ["", "[[table.column]]", *_entries(column, set())]
    return "\n".join(lines).lstrip("\n") + "\n"


def read_contracts(path: Path) -> list[Contract]:
    """The contracts of a file; raises UsageError that says what does not fit."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise UsageError("the contract file cannot be read", where=str(path), why=exc.strerror or str(exc)) from exc
    if len(data) > MAX_BYTES:
        raise UsageError("the contract file is larger than 4 MiB", where=str(path))
    try:
        return contracts_of_toml(data.decode())
    except UsageError as exc:
        raise UsageError(exc.message, where=str(path), why=exc.why) from exc
    except ValueError as exc:
        raise UsageError("the contract file is not valid", where=str(path), why=str(exc)) from exc


def contracts_of_toml(text: str) -> list[Contract]:
    """The contracts that a text states; raises UsageError or ValueError."""
    found = msgspec.convert(tomllib.loads(text), FileText)
    contracts = [_contract(table) for table in found.table]
    if len({contract.table for contract in contracts}) < len(contracts):
        raise UsageError("a table is described twice")
    return contracts


def _contract(table: TableText) -> Contract:
    names = [column.name for column in table.column]
    for name in names:
        if name.casefold().startswith(RESERVED_PREFIX):
            raise UsageError(
                f"the column {name!r} of {table.name} begins with {RESERVED_PREFIX}", why="that is reserved"
            )
    if len(set(names)) < len(names) or not names:
        raise UsageError(f"the table {table.name!r} has no columns, or two of one name")
    columns = tuple(
        ContractColumn(
            name=column.name,
            type=str(parse_type(column.type)),
            nullable=column.nullable,
            format=column.format,
            description=column.description,
            sensitivity=column.sensitivity,
            original=column.original,
            note=column.note,
        )
        for column in table.column
    )
    return Contract(
        table=table.name, version=table.version, columns=columns, headerless=table.headerless, origin=Origin.DECLARED
    )


def _text(column: ContractColumn) -> ColumnText:
    values = {name: getattr(column, name) for name in ColumnText.__struct_fields__}
    if names_a_value(column.note):
        values["note"] = ""
    return msgspec.convert(values, ColumnText)


def _entries(struct: msgspec.Struct, without: set[str]) -> Iterator[str]:
    for name, value in msgspec.to_builtins(struct).items():
        if name not in without:
            yield f"{name} = {toml_value(value)}"
