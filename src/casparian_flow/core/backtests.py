"""What a backtest says about a file, and what may prove that two keys mean the same rows."""

from __future__ import annotations

from enum import StrEnum


class BacktestOutcome(StrEnum):
    """One file read as it would be, against what is there."""

    SAME = "same"
    CHANGED = "changed"
    FAILED = "failed"
    NOT_RUN = "not_run"
    """A stop rule held before its turn came."""


class Basis(StrEnum):
    """Why a file could move to another key without a write."""

    DIGEST = "digest"
    """It was read under both, with the same digest of its rows."""
    RECEIPT = "receipt"
    """Its receipt says that nothing in it is touched by the change."""
