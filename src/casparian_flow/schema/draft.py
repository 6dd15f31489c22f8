"""A table's first contract, drafted from all its rows."""

from __future__ import annotations

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.schema.survey import Survey


def draft_contract(table: str, survey: Survey, *, headerless: bool = False, version: int = 1) -> Contract:
    """The contract that every surveyed row fits: the narrowest type that no value rules out, all columns nullable.

    Nullability is never inferred from data: that no row so far lacks a value is no promise that none ever will.
    """
    columns = tuple(
        ContractColumn(
            name=verdict.name,
            type=verdict.type,
            format=verdict.format,
            original=verdict.original if verdict.original != verdict.name else None,
            note=verdict.note,
        )
        for verdict in survey.verdicts()
    )
    return Contract(table=table, version=version, columns=columns, headerless=headerless)
