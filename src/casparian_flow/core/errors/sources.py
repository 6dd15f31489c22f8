"""Errors of one file: it cannot be read as it is, or its rows are more trouble than a policy allows."""

from __future__ import annotations

from casparian_flow.core.errors.base import CasparianError


class SourceChanged(CasparianError):
    """The file changed while it was read; nothing of it became visible."""

    code = "source-changed"
    transient = True


class SourceUnreadable(CasparianError):
    """The file can be listed but not read."""

    code = "source-unreadable"


class OverTolerance(CasparianError):
    """More rows were rejected than the policy tolerates; the file is held."""

    code = "over-tolerance"


class ContractFrozen(CasparianError):
    """The file differs from its table's contract on an axis where the contract says freeze; the file is held."""

    code = "contract-frozen"
    hint = "casparian contract show TABLE"


class ToleranceFailed(CasparianError):
    """More rows were rejected than a tolerance of the table allows, which says that the file fails then."""

    code = "tolerance-failed"
    hint = "casparian quarantine list"


class QuarantineFull(CasparianError):
    """The rejected rows of the file would make the quarantine larger than its cap; the file is held."""

    code = "quarantine-full"
    hint = "casparian config set governance.quarantine_mb 0"
