"""Messages as examples: every kind of each sender, and bytes that are none with the code of their refusal."""

from __future__ import annotations

import json

import msgspec

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Mode, Modes
from casparian_flow.core.jobs import JobPhase, LogLine
from casparian_flow.core.outputs import PermittedEntry, Role, SealedFile, SealedOutput, SinkTarget
from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.core.receipts import DriftNote, KnownTable, OutputCounts, Receipt, VerdictNote
from casparian_flow.core.repairs import Repair
from casparian_flow.core.routes import Routes
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.core.tolerances import Outcome, Per, Tolerance
from casparian_flow.core.treatments import Treatment
from casparian_flow.protocol.bodies import (
    Abort,
    Ack,
    Body,
    Cast,
    CastJob,
    Conclude,
    Deploy,
    Dispatch,
    Echo,
    EnvReady,
    Err,
    Heartbeat,
    Holding,
    Identify,
    JobReceipt,
    JobSurvey,
    Parse,
    Permit,
    PrepareEnv,
    Printed,
    Progress,
    Reload,
    Seal,
    Sealed,
    Stopped,
    Surveyed,
    Terms,
)
from casparian_flow.protocol.codec import Message, encode
from casparian_flow.protocol.messages import Carries, JobOrder, OutputSurvey, ParserOrder
from casparian_flow.protocol.opcodes import HEADER, VERSION, Opcode

WORKER, SENTINEL = "worker", "sentinel"
JOB = 3_801_423_552_137_216
DIGEST = "blake3:" + "0" * 64
SINK = "parquet:///srv/tables"
FILE = SealedFile(name=f"v1/sales_{JOB}.1.1.parquet", rows=2, size=913, digest=DIGEST)


def _said(opcode: Opcode, body: Body, *, by: str = WORKER, job: int = JOB, attempt: int = 1) -> Message:
    session = "9b1f0c5e" if by == WORKER else "c04d77aa"
    return Message(opcode=opcode, session=session, seq=17, job=job, attempt=attempt if job else 0, body=body)


def _sealed(*receipts: Receipt) -> Sealed:
    """A group of as many jobs, which `JOB` leads."""
    return Sealed(jobs=[JobReceipt(job=JOB + at, attempt=1, receipt=each) for at, each in enumerate(receipts)])


def _output(role: Role, rows: int, *files: SealedFile) -> SealedOutput:
    return SealedOutput(
        sink=SINK,
        table="sales",
        role=role,
        contract_version=1,
        schema_hash=DIGEST,
        rows=rows,
        row_digest=DIGEST,
        files=files,
    )


PARSER = ParserOrder(
    name="csv",
    label="csv 1",
    path="/opt/parsers/csv",
    artifact_hash=DIGEST,
    env_hash=DIGEST,
    tables="file",
    requires=["pyarrow"],
    declared=[],
    shares_process=True,
    options={"delimiter": ";"},
)
ORDER = JobOrder(
    job=JOB,
    attempt=1,
    path=b"/srv/data/s\xe4les.csv",
    size=27,
    mtime_ns=1_700_000_000_000_000_000,
    source_hash=DIGEST,
    file_version=12,
    base_table="sales",
    processed_at_ns=1_700_000_001_000_000_000,
)
CONTRACT = Contract(table="sales", version=1, columns=(ContractColumn("id", "int64", nullable=False),))
AGAIN = msgspec.structs.replace(
    ORDER,
    repairs=[Repair(table="sales", source_row=3, after={"id": "7", "note": None})],
    supersedes=[JOB - 1],
    carries=Carries(
        job=JOB - 1,
        accepted={"sales": 41},
        quarantined={"sales": 1},
        verdicts=[VerdictNote(name="encoding", value="utf-8", confidence=1.0)],
    ),
)
GOVERNED = Contract(
    table="sales",
    version=2,
    columns=(
        ContractColumn("id", "int64", nullable=False, aliases=("number",)),
        ContractColumn("card", "string", sensitivity="secret", treatment=Treatment.PARTIAL, treatment_argument="0-4"),
    ),
    rules=(
        Rule("positive", RuleKind.RANGE, ("id",), low="1"),
        Rule("one of each", RuleKind.UNIQUE, ("id",), scope=UniqueScope.TABLE),
        Rule("known", RuleKind.REFERENCE, ("id",), table="orders", references=("id",)),
    ),
    drift=((Axis.NEW_COLUMN, Mode.FREEZE),),
    tolerance=(Tolerance(ratio=0.25, per=Per.OUTPUT, outcome=Outcome.FAIL),),
)
ROUTES = Routes(default=(SinkTarget(SINK),))
RECEIPT = Receipt(
    counts=(OutputCounts(table="sales", emitted=2, accepted=2, quarantined=0),),
    outputs=(_output(Role.ACCEPTED, 2, FILE), _output(Role.QUARANTINE, 0)),
    isolation="none",
    seconds=0.25,
    bytes_read=27,
)
DRIFTED = Receipt(
    counts=(OutputCounts(table="sales", emitted=2, accepted=1, quarantined=1, rescued=1, modes=DIGEST),),
    outputs=(_output(Role.ACCEPTED, 1, FILE), _output(Role.QUARANTINE, 1, FILE)),
    groups=(
        QuarantineGroup(
            table="sales", code="cf.rule.range", column="id", shape="9", rows=1, sample="0", message="below 1", bytes=80
        ),
    ),
    drift=(
        DriftNote(
            table="sales",
            axis="new_column",
            column="zone",
            detail="string",
            rows=1,
            samples=("UTC",),
            survey=b"\x00\xff",
            source_row=1,
        ),
    ),
    known=(KnownTable(table="orders", seq=4),),
    isolation="none",
    seconds=0.25,
    bytes_read=27,
)
NOTHING = Receipt(counts=(), outputs=(), isolation="none", seconds=0.0, bytes_read=0)
SURVEY = OutputSurvey(
    output="", base_table="sales", is_named=False, columns=["id"], headerless=False, rows=2, survey=b"\x00\xff"
)
SURVEYED = Surveyed(jobs=[JobSurvey(job=JOB, attempt=1, outputs=[SURVEY], sealed=[])])
CAST = Cast(
    parser=PARSER, jobs=[CastJob(job=ORDER, tables={"": "sales"})], routes=ROUTES, contracts={"sales": CONTRACT}
)
IDENTIFY = Identify(
    worker="w1",
    host="crunch",
    pid=4711,
    product="0.1.0",
    slots=2,
    labels={"root": "/srv/data"},
    isolation="none",
    holding=[Holding(job=JOB, attempt=1, phase=JobPhase.SEALED)],
)
BEAT = Heartbeat(
    free=1,
    seen=8,
    progress=[Progress(job=JOB, attempt=1, phase=JobPhase.PARSING, rows=1, bytes=14, silent_ms=120)],
    printed=[Printed(job=JOB, attempt=1, first=0, lines=[LogLine("stdout", "größer")])],
)
TERMS = Terms(worker="w1", incarnation=3, lease_ms=15_000, heartbeat_ms=1_000, fence_ms=10_000)

VALID: list[tuple[str, str, Message]] = [
    ("identify", WORKER, _said(Opcode.IDENTIFY, IDENTIFY, job=0)),
    ("heartbeat", WORKER, _said(Opcode.HEARTBEAT, BEAT, job=0)),
    ("idle", WORKER, _said(Opcode.HEARTBEAT, Heartbeat(free=2, seen=0), job=0)),
    ("sealed", WORKER, _said(Opcode.SEALED, Seal(outcome=_sealed(RECEIPT)))),
    ("sealed with drift", WORKER, _said(Opcode.SEALED, Seal(outcome=_sealed(DRIFTED)))),
    ("sealed without tables", WORKER, _said(Opcode.SEALED, Seal(outcome=_sealed(NOTHING)))),
    ("sealed together", WORKER, _said(Opcode.SEALED, Seal(outcome=_sealed(NOTHING, NOTHING, NOTHING)))),
    ("surveyed", WORKER, _said(Opcode.SEALED, Seal(outcome=SURVEYED))),
    ("conclude", WORKER, _said(Opcode.CONCLUDE, Conclude())),
    (
        "attempt failed",
        WORKER,
        _said(Opcode.ERR, Err(code="parser-crashed", message="ended by signal 11", transient=True)),
    ),
    ("message refused", WORKER, _said(Opcode.ERR, Err(code="unknown-opcode", message="opcode 99", of=9), job=0)),
    ("stopped", WORKER, _said(Opcode.STOPPED, Stopped())),
    ("ack", WORKER, _said(Opcode.ACK, Ack(of=9), job=0)),
    ("environment ready", WORKER, _said(Opcode.ENV_READY, EnvReady(env_hash=DIGEST), job=0)),
    (
        "deploy",
        WORKER,
        _said(
            Opcode.DEPLOY,
            Deploy(
                name="mine",
                version="1",
                artifact_hash=DIGEST,
                env_hash=DIGEST,
                files={"mine.py": b"x = 1\n"},
                publisher="me",
                signature=b"\x01\x02",
            ),
            job=0,
        ),
    ),
    ("terms", SENTINEL, _said(Opcode.ACK, Ack(of=17, terms=TERMS), by=SENTINEL, job=0)),
    ("acknowledged", SENTINEL, _said(Opcode.ACK, Ack(of=17), by=SENTINEL)),
    ("echo", SENTINEL, _said(Opcode.HEARTBEAT, Echo(of=17), by=SENTINEL, job=0)),
    (
        "parse",
        SENTINEL,
        _said(
            Opcode.DISPATCH,
            Dispatch(order=Parse(parser=PARSER, jobs=[ORDER], contracts={"sales": CONTRACT}, routes=ROUTES)),
            by=SENTINEL,
        ),
    ),
    (
        "parse again",
        SENTINEL,
        _said(
            Opcode.DISPATCH,
            Dispatch(
                order=Parse(
                    parser=PARSER,
                    jobs=[AGAIN],
                    contracts={"sales": GOVERNED},
                    routes=ROUTES,
                    modes=Modes(rule=Mode.QUARANTINE_ROW),
                    pseudonym_key=b"\x00" * 32,
                )
            ),
            by=SENTINEL,
        ),
    ),
    (
        "cast",
        SENTINEL,
        _said(
            Opcode.DISPATCH,
            Dispatch(order=CAST),
            by=SENTINEL,
        ),
    ),
    (
        "permit",
        SENTINEL,
        _said(
            Opcode.PERMIT,
            Permit(entries=[PermittedEntry(sink=SINK, table="sales", role=Role.ACCEPTED, seq=1, body=b'{"body":{}}')]),
            by=SENTINEL,
        ),
    ),
    ("abort", SENTINEL, _said(Opcode.ABORT, Abort(code="cancelled", message="by a person"), by=SENTINEL)),
    ("reload", SENTINEL, _said(Opcode.RELOAD, Reload(why="restarted"), by=SENTINEL, job=0)),
    ("refused", SENTINEL, _said(Opcode.ERR, Err(code="bad-payload", message="no", of=17), by=SENTINEL, job=0)),
    (
        "prepare environment",
        SENTINEL,
        _said(Opcode.PREPARE_ENV, PrepareEnv(env_hash=DIGEST, lock="pyarrow==25.0.0\n"), by=SENTINEL, job=0),
    ),
]


def _bytes(
    payload: bytes, *, version: int = VERSION, opcode: int = Opcode.CONCLUDE, reserved: int = 0, job: int = 7
) -> bytes:
    return HEADER.pack(version, opcode, reserved, job, len(payload)) + payload


def _payload(body: object = None, **changes: object) -> bytes:
    return json.dumps({"session": "s", "seq": 4, "attempt": 1, "body": body or {}} | changes).encode()


_GOOD = _payload()
_NOWHERE = (
    json.dumps(json.loads(encode(_said(Opcode.DISPATCH, Dispatch(order=CAST), by=SENTINEL))[HEADER.size :]))
    .replace(json.dumps([{"uri": SINK, "mode": "append"}]), "[]")
    .encode()
)

MALFORMED: list[tuple[str, str, bytes, str, int, int]] = [
    ("nothing", WORKER, b"", "bad-header", 0, 0),
    ("a header cut short", WORKER, _bytes(_GOOD)[:15], "bad-header", 0, 0),
    ("reserved bits", WORKER, _bytes(_GOOD, reserved=1), "bad-header", 0, 0),
    ("a job of 64 bits", WORKER, _bytes(_GOOD, job=1 << 63), "bad-header", 0, 0),
    ("a payload cut short", WORKER, _bytes(_GOOD)[:-1], "bad-header", 7, 0),
    ("a payload and more", WORKER, _bytes(_GOOD) + b"\n", "bad-header", 7, 0),
    ("an older version", WORKER, _bytes(_GOOD, version=5), "unknown-version", 0, 4),
    ("opcode 0", WORKER, _bytes(_GOOD, opcode=0), "unknown-opcode", 7, 0),
    ("opcode 15", WORKER, _bytes(_GOOD, opcode=15), "unknown-opcode", 7, 0),
    ("a worker's permit", WORKER, _bytes(_GOOD, opcode=Opcode.PERMIT), "unknown-opcode", 7, 0),
    ("a sentinel's conclude", SENTINEL, _bytes(_GOOD), "unknown-opcode", 7, 0),
    ("no JSON", WORKER, _bytes(b"{"), "bad-payload", 7, 0),
    ("no UTF-8", WORKER, _bytes(b'{"session":"\xff"}'), "bad-payload", 7, 0),
    ("a lone surrogate", WORKER, _bytes(_payload({"code": "\ud800", "message": ""}), opcode=6), "bad-payload", 7, 0),
    ("another kind of value", WORKER, _bytes(b"[]"), "bad-payload", 7, 0),
    ("no session", WORKER, _bytes(_payload(session="")), "bad-payload", 7, 0),
    ("a blank in the session", WORKER, _bytes(_payload(session="a b")), "bad-payload", 7, 0),
    ("sequence number 0", WORKER, _bytes(_payload(seq=0)), "bad-payload", 7, 0),
    ("a fraction", WORKER, _bytes(_payload(attempt=1.0)), "bad-payload", 7, 0),
    ("an unknown field beside the body", WORKER, _bytes(_payload(more=1)), "bad-payload", 7, 0),
    ("an unknown field in the body", WORKER, _bytes(_payload({"more": 1})), "bad-payload", 7, 4),
    ("a missing field", WORKER, _bytes(b'{"session":"s","seq":4,"attempt":1}'), "bad-payload", 7, 0),
    ("a number beyond 63 bits", WORKER, _bytes(_payload({"of": 1 << 63}), opcode=11), "bad-payload", 7, 4),
    ("true for a number", WORKER, _bytes(_payload({"of": True}), opcode=11), "bad-payload", 7, 4),
    ("a text too long", WORKER, _bytes(_payload({"code": "x" * 201, "message": ""}), opcode=6), "bad-payload", 7, 4),
    ("an order without a sink", SENTINEL, _bytes(_NOWHERE, opcode=Opcode.DISPATCH), "bad-payload", 7, 17),
    ("nested too deep", WORKER, _bytes(_payload().replace(b"{}", b"[" * 3000)), "bad-payload", 7, 0),
]
