"""What is kept of a file of which too much was rejected for it to land: what was counted, and by which limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from casparian_flow.core.contracts import Contract
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.receipts import OutputCounts
from casparian_flow.core.treatments import Sensitivity

_OPEN = str(Sensitivity.INTERNAL)


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The counts that were judged, by the tolerances whose digest is `tolerances`.

    `bytes` are what the rejected rows would take in the quarantine, `contracts` what judged them by table, as
    `judging_hashes` names it.
    """

    counts: tuple[OutputCounts, ...]
    bytes: int
    tolerances: str
    contracts: dict[str, str]

    @property
    def emitted(self) -> int:
        """Rows of the file."""
        return sum(count.emitted for count in self.counts)

    @property
    def quarantined(self) -> int:
        """Rejected rows of the file."""
        return sum(count.quarantined for count in self.counts)


def tolerances_digest(counts: Sequence[OutputCounts], contracts: Mapping[str, Contract], share: float) -> str:
    """Names the tolerances by which these counts are judged: `share` only where a table says nothing itself."""
    own = {
        count.table: [
            [limit.rows, limit.ratio, limit.min_sample, limit.per, limit.outcome]
            for limit in contracts[count.table].tolerance
        ]
        for count in counts
        if count.table in contracts and contracts[count.table].tolerance
    }
    is_general = any(count.table not in own for count in counts)
    return digest_of_json(["tolerances", own, share if is_general else None])


def judging_hashes(counts: Sequence[OutputCounts], contracts: Mapping[str, Contract]) -> dict[str, str]:
    """Of the tables that were counted what decides, in their contracts in force, which rows are rejected.

    Classes and treatments reject no row, and prose does not either; modes of drift do.
    """
    return {count.table: _judging_hash(contracts[count.table]) for count in counts if count.table in contracts}


def _judging_hash(contract: Contract) -> str:
    columns = tuple(replace(each, sensitivity=_OPEN, treatment=None) for each in contract.columns)
    modes = sorted((str(axis), str(mode)) for axis, mode in contract.drift)
    rest = [contract.headerless, modes, sorted(contract.takes_undeclared)]
    return digest_of_json(["judging", replace(contract, columns=columns).hash, rest])
