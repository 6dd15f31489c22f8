"""What the jobs of one order have in common while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import BUILT_IN, Modes
from casparian_flow.protocol.messages import ParserOrder
from casparian_flow.worker.tables import Places
from casparian_flow.worker.targets import Destination
from casparian_flow.worker.treating import is_closed


@dataclass(frozen=True)
class Premises:
    """The parser, the contracts in force by table, where tables go and where rows may wait for a contract."""

    parser: ParserOrder
    contracts: Mapping[str, Contract]
    targets: Destination
    scratch: Path
    modes: Modes = BUILT_IN
    """What happens where a file differs from a contract that does not say it itself."""
    pseudonym_key: bytes = field(default=b"", repr=False)

    @cached_property
    def is_closed(self) -> bool:
        """Whether the parser may come upon values that must not be seen."""
        return is_closed(self.parser, self.contracts)

    @cached_property
    def places(self) -> Places:
        """Which table the rows of an output belong to."""
        return Places(self.parser, self.contracts)
