"""What the jobs of one order have in common while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from casparian_flow.core.contracts import Contract
from casparian_flow.protocol.messages import ParserOrder
from casparian_flow.worker.tables import Places
from casparian_flow.worker.targets import Destination


@dataclass(frozen=True)
class Premises:
    """The parser, the contracts in force by table, where tables go and where rows may wait for a contract."""

    parser: ParserOrder
    contracts: Mapping[str, Contract]
    targets: Destination
    scratch: Path

    @cached_property
    def places(self) -> Places:
        """Which table the rows of an output belong to."""
        return Places(self.parser, self.contracts)
