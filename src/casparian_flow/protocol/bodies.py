"""What each kind of message says, beside the session, sequence number, job and attempt that every message names."""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import BUILT_IN, Modes
from casparian_flow.core.jobs import JobPhase, LogLine
from casparian_flow.core.outputs import PermittedEntry, SealedOutput
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.messages import JobOrder, Limits, OutputSurvey, ParserOrder
from casparian_flow.protocol.opcodes import Opcode

Short = Annotated[str, msgspec.Meta(max_length=200)]
Key = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40})?$")]
"""A CURVE public key as Z85 text, or nothing."""
Together = msgspec.Meta(min_length=1, max_length=1000)
"""The jobs of one order or of one group."""
Words = Annotated[str, msgspec.Meta(max_length=8192)]
Secret = Annotated[bytes, msgspec.Meta(max_length=64)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base: immutable, unknown fields refused."""


class Holding(Body, frozen=True, kw_only=True):
    """An attempt that a worker has in hand when it identifies itself."""

    job: Count
    attempt: Count
    phase: JobPhase


class Identify(Body, frozen=True, kw_only=True):
    """Who a worker is and what it can do. `parsers` are the names it may run, none means every one.

    `key` is only read on a connection that an invitation opened: the public key by which the worker will be known.
    """

    worker: Short
    host: Short
    pid: Count
    product: Short
    slots: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    labels: dict[Short, Short] = {}
    isolation: Short
    environments: list[Short] = []
    parsers: list[Short] = []
    holding: list[Holding] = []
    key: Key = ""


class Parse(Body, frozen=True, kw_only=True, tag="parse", tag_field="kind"):
    """Parse these files, in this order, with one parser in one guest, each table into its targets.

    `contracts` are the contracts in force of every table that these files may belong to, by table. `modes` hold where
    a contract has none of its own. `pseudonym_key` is there only if a column needs it.
    """

    parser: ParserOrder
    jobs: Annotated[list[JobOrder], Together]
    contracts: dict[str, Contract]
    routes: Routes
    limits: Limits = Limits()
    modes: Modes = BUILT_IN
    pseudonym_key: Secret = b""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Parse(jobs={self.jobs!r})"


class CastJob(Body, frozen=True, kw_only=True):
    """One job of a group that was surveyed: `tables` has the table of each of its outputs."""

    job: JobOrder
    tables: dict[str, str]


class Cast(Body, frozen=True, kw_only=True, tag="cast", tag_field="kind"):
    """Cast what this worker surveyed together: exactly the jobs of one group, in its order.

    `contracts` has the contract of each of their tables; `modes` and `pseudonym_key` are as in `Parse`.
    """

    parser: ParserOrder
    jobs: Annotated[list[CastJob], Together]
    routes: Routes
    contracts: dict[str, Contract]
    modes: Modes = BUILT_IN
    pseudonym_key: Secret = b""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Cast(jobs={self.jobs!r})"


class Dispatch(Body, frozen=True, kw_only=True):
    """Work for one slot. The header names the order's first job."""

    order: Parse | Cast


class Abort(Body, frozen=True, kw_only=True):
    """Stop an attempt: `code` is `cancelled`, `fenced`, or why it may not commit; `message` says it to a person."""

    code: Short
    message: Words = ""


class Progress(Body, frozen=True, kw_only=True):
    """How far an attempt is. `silent_ms`: for how long its parser has given neither rows nor a sign of life."""

    job: Count
    attempt: Count
    phase: JobPhase
    rows: Count = 0
    bytes: Count = 0
    silent_ms: Count = 0


class Printed(Body, frozen=True, kw_only=True):
    """Lines that a parser wrote, from line number `first` of the attempt: telling them twice changes nothing."""

    job: Count
    attempt: Count
    first: Count
    lines: list[LogLine]


class Heartbeat(Body, frozen=True, kw_only=True):
    """A worker lives. `free` slots want work; `seen` is the sequence number of the last message of the sentinel.

    A worker that is `leaving` takes no more work; what it does not finish it gives back (STOPPED). It is gone with the
    first such heartbeat without progress.
    """

    free: Count
    seen: Count
    progress: list[Progress] = []
    printed: list[Printed] = []
    leaving: bool = False


class Echo(Body, frozen=True, kw_only=True):
    """The sentinel heard the heartbeat of that sequence number."""

    of: Count


class Conclude(Body, frozen=True, kw_only=True):
    """Every permitted entry is visible."""


class Err(Body, frozen=True, kw_only=True):
    """What went wrong. With a job: its attempt failed. Without: the message `of` could not be accepted."""

    code: Short
    message: Words
    why: Words = ""
    transient: bool = False
    of: Count = 0


class Reload(Body, frozen=True, kw_only=True):
    """Identify again."""

    why: Words = ""


class PrepareEnv(Body, frozen=True, kw_only=True):
    """Make the environment of that hash ready from the text of its lock."""

    env_hash: Short
    lock: Annotated[str, msgspec.Meta(max_length=16 << 20)]


class EnvReady(Body, frozen=True, kw_only=True):
    """The environment of that hash can be used."""

    env_hash: Short


class Deploy(Body, frozen=True, kw_only=True):
    """An artifact: its name, its digests, its files by relative path, and the publisher's signature over the digest."""

    name: Short
    version: Short
    artifact_hash: Short
    env_hash: Short
    files: dict[str, bytes]
    publisher: Short = ""
    signature: bytes = b""


class Terms(Body, frozen=True, kw_only=True):
    """What holds between a sentinel and a worker. `worker` is the name by which the sentinel knows it."""

    worker: Short
    incarnation: Count
    lease_ms: Count
    heartbeat_ms: Count
    fence_ms: Count


class Ack(Body, frozen=True, kw_only=True):
    """The message of that sequence number was taken in; the answer to IDENTIFY brings the terms."""

    of: Count
    terms: Terms | None = None


class JobReceipt(Body, frozen=True, kw_only=True):
    """What one job of a group sealed. Files that it shares with others are its own as far as their rows are."""

    job: Count
    attempt: Count
    receipt: Receipt


class Sealed(Body, frozen=True, kw_only=True, tag="sealed", tag_field="kind"):
    """Staged and sealed, and a question whether it may be promoted: all of these jobs or none.

    The first one leads: the header names it, and the files of all of them are named after its attempt.
    """

    jobs: Annotated[list[JobReceipt], Together]


class JobSurvey(Body, frozen=True, kw_only=True):
    """What one job of a group found that waits for its contract; `sealed` are its outputs that do not."""

    job: Count
    attempt: Count
    outputs: list[OutputSurvey]
    sealed: list[SealedOutput]


class Surveyed(Body, frozen=True, kw_only=True, tag="surveyed", tag_field="kind"):
    """Parsed and kept together, but at least one output waits for its contract. The first job leads."""

    jobs: Annotated[list[JobSurvey], Together]


class Seal(Body, frozen=True, kw_only=True):
    """What a group of attempts came to; a group may be one attempt alone."""

    outcome: Sealed | Surveyed


class Permit(Body, frozen=True, kw_only=True):
    """Promote exactly these entries, of all sinks."""

    entries: list[PermittedEntry]


class Stopped(Body, frozen=True, kw_only=True):
    """Nothing of the attempt runs or is staged here."""


FROM_WORKER: dict[Opcode, type[Body]] = {
    Opcode.IDENTIFY: Identify,
    Opcode.HEARTBEAT: Heartbeat,
    Opcode.CONCLUDE: Conclude,
    Opcode.ERR: Err,
    Opcode.ENV_READY: EnvReady,
    Opcode.DEPLOY: Deploy,
    Opcode.ACK: Ack,
    Opcode.SEALED: Seal,
    Opcode.STOPPED: Stopped,
}
"""What a sentinel understands. A publisher, too, speaks as a worker does."""

FROM_SENTINEL: dict[Opcode, type[Body]] = {
    Opcode.DISPATCH: Dispatch,
    Opcode.ABORT: Abort,
    Opcode.HEARTBEAT: Echo,
    Opcode.ERR: Err,
    Opcode.RELOAD: Reload,
    Opcode.PREPARE_ENV: PrepareEnv,
    Opcode.ACK: Ack,
    Opcode.PERMIT: Permit,
}
"""What a worker understands."""
