"""Why a file runs or is skipped: a closed set of codes."""

from enum import StrEnum


class RunReason(StrEnum):
    """Why a file version goes through a parser."""

    NEW = "new"
    BYTES_CHANGED = "bytes_changed"
    PARSER_CHANGED = "parser_changed"
    ENV_CHANGED = "env_changed"
    CONTRACT_CHANGED = "contract_changed"
    CONFIG_CHANGED = "config_changed"
    TARGET_CHANGED = "target_changed"
    PREVIOUS_FAILED = "previous_failed"
    QUARANTINE_REOPENED = "quarantine_reopened"
    HOLD_LIFTED = "hold_lifted"
    FORCED = "forced"


class SkipReason(StrEnum):
    """Why it does not."""

    UP_TO_DATE = "up_to_date"
    SAME_BYTES = "same_bytes"
    PROVEN_EQUIVALENT = "proven_equivalent"
    NOT_SELECTED = "not_selected"
    NO_PARSER = "no_parser"
    PARSER_INACTIVE = "parser_inactive"
    HELD_BY_POLICY = "held_by_policy"
    GAVE_UP = "gave_up"
    AWAITING_APPROVAL = "awaiting_approval"
    CANCELLED = "cancelled"
    SOURCE_MISSING = "source_missing"
    IN_PROGRESS = "in_progress"
    GROWING = "growing"
