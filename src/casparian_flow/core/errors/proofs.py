"""Errors of what is checked: bytes, digests or verdicts do not hold."""

from __future__ import annotations

from casparian_flow.core.errors.base import CasparianError


class VerificationFailed(CasparianError):
    """Stored bytes do not match what was recorded about them."""

    code = "verification-failed"
    exit_code = 7


class VerdictContradicted(VerificationFailed):
    """The data contradict what was concluded from the change alone, so that it cannot be approved."""

    code = "verdict-contradicted"
    hint = "casparian approval list"


class CanaryFailed(VerificationFailed):
    """The first files of a replay did not come out as its dry run said; the rest was not begun."""

    code = "canary-failed"
    hint = "casparian replay list"


class Erased(VerificationFailed):
    """The rows were erased for good, with approval; no earlier state has them either."""

    code = "erased"
    hint = "casparian approval list --kind purge --all"


class InvariantBroken(CasparianError):
    """A promise of the product does not hold: a bug."""

    code = "invariant-broken"
    hint = "casparian doctor"


class IllegalMove(InvariantBroken):
    """A job cannot go from its state to that one."""

    code = "illegal-move"
