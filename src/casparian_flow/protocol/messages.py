"""What orders are made of: strict structs that travel inside the messages of sentinel and worker."""

from __future__ import annotations

from typing import Any

import msgspec

from casparian_flow.core.receipts import VerdictNote
from casparian_flow.core.repairs import Repair


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """The base: immutable, unknown fields refused, tagged by class name."""


class ParserOrder(Message, frozen=True, kw_only=True):
    """Which parser to run and how; one that shares its process reads several files in it, one after another."""

    name: str
    label: str
    path: str
    artifact_hash: str
    env_hash: str
    tables: str
    requires: list[str]
    declared: list[str]
    shares_process: bool
    options: dict[str, Any]


class Carries(Message, frozen=True, kw_only=True):
    """A job that read the same bytes: its accepted rows may be taken over, and only its rejected ones read again.

    `accepted` and `quarantined` count its rows in each of its tables; `verdicts` are what it found out about the file.
    """

    job: int
    accepted: dict[str, int]
    quarantined: dict[str, int]
    verdicts: list[VerdictNote]


class JobOrder(Message, frozen=True, kw_only=True):
    """One file version to parse. `path` is bytes, since names need not be text.

    `carries` is said where an older job may have what this one would read; whether it has, its worker finds out.
    `supersedes` are jobs whose rows go out with this one; said only where keys are compared with those of the table.
    """

    job: int
    attempt: int
    path: bytes
    size: int
    mtime_ns: int
    source_hash: str
    file_version: int
    base_table: str
    processed_at_ns: int
    repairs: list[Repair] = []
    supersedes: list[int] = []
    carries: Carries | None = None


class Limits(Message, frozen=True, kw_only=True):
    """What one guest may use. Times in seconds, sizes in bytes."""

    job_seconds: float = 3600.0
    memory_bytes: int = 2 << 30
    cpu_seconds: int = 3600
    open_files: int = 128
    scratch_bytes: int = 1 << 30
    frame_bytes: int = 64 << 20
    log_bytes: int = 64 << 10


class OutputSurvey(Message, frozen=True, kw_only=True):
    """What a job found in one output for which no contract exists yet.

    `survey` is the mergeable elimination state of its columns (`schema.survey`). `base_table` is the name that the
    file asks for; which table it joins or founds is decided when every file has been surveyed. `is_named`: the parser
    names its tables itself, so the columns do not matter for the choice.
    """

    output: str
    base_table: str
    is_named: bool
    columns: list[str]
    headerless: bool
    rows: int
    survey: bytes
