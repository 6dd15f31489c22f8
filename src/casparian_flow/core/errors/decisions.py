"""Errors of what a person decides: an approval is missing, void, late or not genuine."""

from __future__ import annotations

from casparian_flow.core.errors.base import CasparianError


class Refused(CasparianError):
    """Policy asks for a person's approval first."""

    code = "approval-required"
    exit_code = 4


class WorkerRefused(Refused):
    """The sentinel does not let this worker in."""

    code = "worker-refused"
    hint = "casparian worker invite (where the sentinel runs), then join with what it prints"


class SelfApproval(Refused):
    """Who proposed a change does not count among those who approve it."""

    code = "self-approval"
    hint = "casparian key list"


class KeyMissing(Refused):
    """A decision needs the private key of whoever decides, and none is here."""

    code = "key-missing"
    hint = "casparian key add"


class ProposalVoid(CasparianError):
    """What a proposal was made for is not there any more, or not as it was then; it can no longer be decided."""

    code = "proposal-void"
    hint = "casparian approval list"


class ProposalOver(CasparianError):
    """A proposal was decided or taken back before; nothing is left to decide about it."""

    code = "proposal-over"
    hint = "casparian approval list"


class PlanStale(CasparianError):
    """The saved plan no longer describes the world."""

    code = "plan-stale"
    hint = "casparian plan"


class VersionChanged(CasparianError):
    """It is no longer in the state that the asker saw; nothing was changed."""

    code = "version-changed"
    transient = True
    hint = "look at it again, then decide again"


class ApprovalInvalid(CasparianError):
    """A decision is not signed by who it says, or is about something else than what it is used for."""

    code = "approval-invalid"
    exit_code = 7
    hint = "casparian key list"
