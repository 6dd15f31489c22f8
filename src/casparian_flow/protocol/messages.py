"""The messages of sentinel and worker: strict structs, each naming the job and the attempt it is about."""

from __future__ import annotations

from typing import Any

import msgspec

from casparian_flow.core.contracts import Contract
from casparian_flow.core.jobs import LogLine
from casparian_flow.core.outputs import PermittedEntry, SealedOutput
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.routes import Routes


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """The base: immutable, unknown fields refused, tagged by class name."""


class ParserOrder(Message, frozen=True, kw_only=True):
    """Which parser to run and how. `shipped` parsers may read several files in one process."""

    name: str
    label: str
    path: str
    artifact_hash: str
    env_hash: str
    tables: str
    requires: list[str]
    declared: list[str]
    shipped: bool
    options: dict[str, Any]


class JobOrder(Message, frozen=True, kw_only=True):
    """One file version to parse. `path` is bytes, since names need not be text."""

    job: int
    attempt: int
    path: bytes
    size: int
    mtime_ns: int
    source_hash: str
    file_version: int
    base_table: str
    processed_at_ns: int


class Limits(Message, frozen=True, kw_only=True):
    """What one guest may use. Times in seconds, sizes in bytes."""

    job_seconds: float = 3600.0
    memory_bytes: int = 2 << 30
    cpu_seconds: int = 3600
    open_files: int = 128
    scratch_bytes: int = 1 << 30
    frame_bytes: int = 64 << 20
    log_bytes: int = 64 << 10


class Dispatch(Message, frozen=True, kw_only=True):
    """Sentinel to worker: parse these files, in this order, with one parser, each table into its targets.

    `contracts` are the contracts in force of every table that these files may belong to, by table.
    """

    parser: ParserOrder
    jobs: list[JobOrder]
    contracts: dict[str, Contract]
    routes: Routes
    staging: str
    limits: Limits = Limits()


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


class Surveyed(Message, frozen=True, kw_only=True):
    """Worker to sentinel: parsed, but at least one output waits for its contract; `sealed` are those that do not."""

    job: int
    attempt: int
    outputs: list[OutputSurvey]
    sealed: list[SealedOutput]


class Settle(Message, frozen=True, kw_only=True):
    """Sentinel to worker: the tables and contracts of a surveyed job's outputs; cast its staged rows and seal.

    `tables` maps each surveyed output to its table, `contracts` each table to its contract.
    """

    parser: ParserOrder
    order: JobOrder
    routes: Routes
    staging: str
    tables: dict[str, str]
    contracts: dict[str, Contract]


class Sealed(Message, frozen=True, kw_only=True):
    """Worker to sentinel: staged and sealed, and a question whether it may be promoted."""

    job: int
    attempt: int
    receipt: Receipt


class Permit(Message, frozen=True, kw_only=True):
    """Sentinel to worker: promote exactly these entries, of all sinks."""

    job: int
    attempt: int
    entries: list[PermittedEntry]


class Held(Message, frozen=True, kw_only=True):
    """Sentinel to worker: kept sealed; the sentinel promotes it together with others at the end of the run."""

    job: int
    attempt: int


class Fenced(Message, frozen=True, kw_only=True):
    """Sentinel to worker: this attempt may not commit; discard what it staged."""

    job: int
    attempt: int
    why: str


class Conclude(Message, frozen=True, kw_only=True):
    """Worker to sentinel: promoted."""

    job: int
    attempt: int


class Started(Message, frozen=True, kw_only=True):
    """Worker to sentinel: the guest has begun with this job."""

    job: int
    attempt: int


class Failed(Message, frozen=True, kw_only=True):
    """Worker to sentinel: the attempt ended without a seal; nothing of it remains."""

    job: int
    attempt: int
    code: str
    message: str
    why: str
    transient: bool


class Logged(Message, frozen=True, kw_only=True):
    """Worker to sentinel: lines the parser wrote during this job; `dropped` counts what was cut."""

    job: int
    attempt: int
    lines: list[LogLine]
    dropped: int


class Idle(Message, frozen=True, kw_only=True):
    """Worker to sentinel: give me an order."""


Order = Dispatch | Settle
Report = Idle | Started | Surveyed | Sealed | Conclude | Failed | Logged
Answer = Permit | Held | Fenced
