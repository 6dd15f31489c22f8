"""Runs a checked query in a process of its own, within its limits, and brings the answer back as Arrow."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

import casparian_flow
from casparian_flow.core.errors import QueryFailed, QueryTimedOut
from casparian_flow.guest.family import FAMILY
from casparian_flow.sentinel.console.limits import QueryLimits, QueryOrder, TableSource

_START = (
    "import sys; sys.path.insert(0, {path!r}); from casparian_flow.sentinel.console.child import main; sys.exit(main())"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of an answer; `is_cut` says that the limit of rows or bytes was reached."""

    table: pa.Table
    is_cut: bool


def run_query(text: str, tables: list[TableSource], limits: QueryLimits) -> Answer:
    """The answer of a checked query over these tables and nothing else.

    Raises QueryFailed with the database's own words, or QueryTimedOut. The process is gone when this returns.
    """
    path = str(Path(casparian_flow.__file__).parent.parent)
    with _process([sys.executable, "-I", "-c", _START.format(path=path)]) as child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        late = threading.Event()
        broken = ""
        alarm = threading.Timer(limits.seconds, _stop, (child, late))
        alarm.daemon = True  # or an interrupted start would keep the process until the time is over
        try:
            alarm.start()
            child.stdin.write(msgspec.json.encode(QueryOrder(text=text, tables=tables, limits=limits)))
            child.stdin.close()
            answer = _read(child.stdout, limits)
            if answer is not None and answer.is_cut:
                return answer
            code = child.wait()
        except (pa.ArrowInvalid, OSError) as exc:
            answer, code, broken = None, child.wait(), str(exc)
        finally:
            alarm.cancel()
        if late.is_set() or code == -signal.SIGALRM:
            raise QueryTimedOut(f"the query was stopped after {limits.seconds:g} seconds")
        if answer is None or code != 0:
            raise _failure(child.stderr.read().decode("utf-8", "replace") or broken, code)
        return answer


def _stop(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    child = FAMILY.start(
        lambda: subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"TZ": "UTC", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        FAMILY.forget(child)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def _read(stream: object, limits: QueryLimits) -> Answer | None:
    """The answer as far as the limits allow; None when the stream holds none."""
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    with pa.ipc.open_stream(stream) as reader:
        for batch in reader:
            if rows + batch.num_rows > limits.rows or size + batch.nbytes > limits.bytes:
                batches.append(batch.slice(0, limits.rows - rows if rows + batch.num_rows > limits.rows else 0))
                return Answer(pa.Table.from_batches(batches, reader.schema), is_cut=True)
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
        return Answer(pa.Table.from_batches(batches, reader.schema), is_cut=False)


def _failure(said: str, code: int) -> QueryFailed:
    try:
        found = json.loads(said.splitlines()[-1])
        message = str(found["message"]).strip()
    except (ValueError, KeyError, IndexError):
        return QueryFailed("the query's process ended early", why=f"exit code {code}: {said[-300:]}")
    if "out of memory" in message.lower():
        return QueryFailed("the query needs more memory than it may use", why=message.splitlines()[0])
    first, _, rest = message.partition("\n")
    return QueryFailed(first, why=" ".join(rest.split())[:300])
