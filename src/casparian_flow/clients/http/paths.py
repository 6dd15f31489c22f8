"""The one rule by which an operation has its path; shared by server and client, so it imports nothing heavy."""

from __future__ import annotations

PREFIX = "/v1/"
EVENTS_PATH = PREFIX + "events"
CWD_HEADER = "casparian-cwd"
"""Where a local asker stands, percent-encoded; relative paths in the request are relative to it."""


def path_of(operation: str) -> str:
    """`output.plan_revert` is asked at `/v1/output/plan-revert`."""
    return PREFIX + operation.replace(".", "/").replace("_", "-")
