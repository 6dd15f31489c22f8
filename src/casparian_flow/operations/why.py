"""Why and whence: the decision behind a file, a job or a record, and the chain from its rows back to its bytes."""

from __future__ import annotations

from casparian_flow.operations.files import FileDetail
from casparian_flow.operations.jobs import JobDetail
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.operations.rows import FoundRow


class AskWhy(Request, frozen=True, kw_only=True):
    """About what: a file, `FILE:RECORD` for one record of it, or a job."""

    subject: str


class Why(Reply, frozen=True, kw_only=True):
    """The answer. `steps` are what was tried to find a parser, in order; the last one decided.

    `job` is the last one that read these bytes, with the versions of parser and contract; `rows` are what the record
    became.
    """

    subject: str
    steps: list[str]
    file: FileDetail
    job: JobDetail | None
    record: int | None
    rows: list[FoundRow]


OPERATIONS = (Operation("why", AskWhy, Why, Effect.READ, "why.why", "Why a file, a record or a job is as it is."),)
