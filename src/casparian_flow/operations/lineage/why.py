"""Why and whence: the decision behind a file, a job or a record, and the chain from its rows back to its bytes."""

from __future__ import annotations

import msgspec

from casparian_flow.operations.file.files import FileDetail
from casparian_flow.operations.job.jobs import JobDetail
from casparian_flow.operations.query.rows import FoundRow
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class AskWhy(Request, frozen=True, kw_only=True):
    """About what: a file, `FILE:RECORD` for one record of it, a row by its address `HASH:RECORD`, or a job."""

    subject: str


class DecidedContract(Reply, frozen=True, kw_only=True):
    """A contract that rows were written under, and what decided it: the proposal, by whom, when, and which digest.

    `by` is empty where a setting or the parser's own declaration decided; what is null was never kept.
    """

    table: str
    version: int
    proposal: str | None
    by: list[str]
    at: str | None
    digest: str | None
    is_self_approved: bool


class ErasedPart(Reply, frozen=True, kw_only=True):
    """So many rows of the bytes that are in no table any more: which purge erased them for good, and when."""

    purge: str
    table: str
    rows: int
    at: str


class RevertedPart(Reply, frozen=True, kw_only=True):
    """So many rows that a job had brought to a table of a sink: who took them out again, when, and why.

    `back` is the command to bring them back with: the run that reads the file again, and where that has other bytes
    by now, is gone or was read to replace its table, the history of the table, to any snapshot of which it can go back.
    """

    table: str
    sink: str
    job: str
    rows: int
    by: str
    at: str
    reason: str
    back: str


class Why(Reply, frozen=True, kw_only=True):
    """The answer. `steps` are what was tried to find a parser, in order; the last one decided.

    `job` is the last one that read these bytes, with the versions of parser and contract; `rows` are what the record
    became; `contracts` are those of the rows, or of everything that the job brought.
    `erased` and `reverted` are what else the bytes brought; a record that is nowhere is among it.
    """

    subject: str
    steps: list[str]
    file: FileDetail
    job: JobDetail | None
    record: int | None
    rows: list[FoundRow]
    contracts: list[DecidedContract]
    erased: list[ErasedPart]
    reverted: list[RevertedPart] = msgspec.field(default_factory=list)


OPERATIONS = (
    Operation("why", AskWhy, Why, Effect.READ, "lineage.why.why", "Why a file, a record or a job is as it is."),
)
