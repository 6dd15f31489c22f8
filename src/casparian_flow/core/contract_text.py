"""A contract as text, and the contract that a text stands for, of whatever release it is."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

import msgspec

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import VerificationFailed

_LATER_OF_CONTRACTS = frozenset({"rules", "drift", "tolerance", "takes_undeclared", "earlier"})
_LATER_OF_COLUMNS = frozenset({"treatment", "treatment_argument", "aliases"})
"""Fields that came after the first release: a contract that does not use them has the text that it always had."""


def plain(contract: Contract) -> dict[str, Any]:
    """The contract as plain values; fields of later releases only where they say something."""
    body = _without(asdict(contract), _LATER_OF_CONTRACTS, Contract)
    body["columns"] = [_without(column, _LATER_OF_COLUMNS, ContractColumn) for column in body["columns"]]
    return body


def to_json(contract: Contract) -> str:
    """The contract as canonical text."""
    return json.dumps(plain(contract), sort_keys=True, ensure_ascii=False)


def from_json(text: str) -> Contract:
    """The contract that a text from `to_json` stands for; raises VerificationFailed if it stands for none."""
    try:
        return msgspec.json.decode(text, type=Contract)
    except msgspec.DecodeError as exc:
        raise VerificationFailed("a contract cannot be read back", why=str(exc), fix="casparian doctor") from exc


def verified(text: str, digest: str) -> Contract:
    """The contract that a kept text stands for; raises VerificationFailed unless it still demands what it did.

    `digest` is the hash of the contract that was put there.
    """
    contract = from_json(text)
    if contract.hash != digest:
        raise VerificationFailed(
            f"version {contract.version} of the contract of {contract.table} is not what came into force",
            why="its text was changed in the database: it has another hash than the contract that was decided about",
            fix="restore the home from a copy",
        )
    return contract


def _without(body: dict[str, Any], later: frozenset[str], kind: type) -> dict[str, Any]:
    usual = {field.name: field.default for field in fields(kind) if field.name in later}
    return {name: value for name, value in body.items() if name not in usual or value != usual[name]}
