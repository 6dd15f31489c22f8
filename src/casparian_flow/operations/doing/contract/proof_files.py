"""Files read again as they would be under another contract, and how that differs from what they brought."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from casparian_flow.core.contract_checks import follows_from_file
from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError, NotFound, SourceChanged, SourceUnreadable
from casparian_flow.core.lineage import SOURCE_ROW
from casparian_flow.core.outputs import Role
from casparian_flow.core.proofs import Promise
from casparian_flow.core.quarantine import Code
from casparian_flow.lab.rehearsal import Rehearsed, rehearse
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.contract.proof_keys import ProofKeys
from casparian_flow.operations.doing.contract.proof_rows import as_it_stands, stored_names
from casparian_flow.operations.doing.rehearsal.read_before import ReadBefore
from casparian_flow.protocol.messages import Limits
from casparian_flow.schema.validate import Validator
from casparian_flow.sentinel.home_key import home_key
from casparian_flow.sentinel.planning.registered import parser_order
from casparian_flow.sentinel.queue.dispatch import relevant_contracts
from casparian_flow.sinks.base import Sink

_NO_TEXT = f"{Code.CAST}.string"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProof:
    """What one file brings to a table under the new contract beside what it brought.

    `strange` are rows of it that did not fit the old contract though readers should notice no difference, `as_json` are
    columns of which not every value is text, though all of them would be as text or typed. With a
    `trouble` nothing is known; `is_gone`: because its bytes are not there any more.
    """

    read: ReadBefore
    rows: int = 0
    newly_failing: int = 0
    released: int = 0
    still_failing: int = 0
    fills: int = 0
    strange: int = 0
    as_json: frozenset[str] = frozenset()
    promises: tuple[Promise, ...] = ()
    trouble: str = ""
    is_gone: bool = False


def prove_files(
    acting: Acting,
    files: Sequence[ReadBefore],
    contracts: tuple[Contract, Contract],
    in_force: Mapping[str, Contract],
    sink: Sink,
    *,
    filled: Sequence[str],
    asks_readers: bool,
    sink_of: Callable[[str], Sink | None],
) -> Iterator[FileProof]:
    """Each of the files under the second contract, beside what it brought under the first.

    Rows are compared with those of other files as they will be when they are read again in this order; `sink_of` says
    where the rows of a table are, None if it has none.

    `filled` are columns that are new; `asks_readers`: whether new rows, cut to the old columns, have to fit the first.
    """
    acting.home.staging.mkdir(parents=True, exist_ok=True)
    modes = acting.settings.drift.modes
    limits = Limits(job_seconds=acting.settings.run.job_seconds, memory_bytes=acting.settings.run.memory_mb << 20)
    old, new = contracts
    with tempfile.TemporaryDirectory(prefix="proof-", dir=acting.home.staging) as scratch:
        keys = ProofKeys(new.table, stored_names(old, new), sink_of, Path(scratch))
        for file in files:
            if not file.is_retained:
                yield FileProof(read=file, is_gone=True, trouble="its bytes are not there any more")
                continue
            keys.begin(file.job)
            known = relevant_contracts(file.parser, [file.bytes.base_table], in_force) | {new.table: new}
            try:
                found = rehearse(
                    parser_order(file.parser, file.options),
                    file.bytes,
                    known,
                    modes,
                    file.repairs,
                    Path(scratch),
                    limits=limits,
                    pseudonym_key=home_key(acting.home, acting.database).needed_by(known.values()),
                    keys_of=keys.keys_of,
                )
            except (SourceChanged, SourceUnreadable) as exc:
                yield FileProof(read=file, is_gone=True, trouble=exc.message)
            except CasparianError as exc:
                yield FileProof(read=file, trouble=f"{exc.message}: {exc.why}" if exc.why else exc.message)
            else:
                keys.end(found)
                judge = Validator(as_it_stands(old), modes) if asks_readers else None
                yield _proof(file, found, new.table, sink, filled, judge)


def _proof(
    file: ReadBefore, found: Rehearsed, table: str, sink: Sink, filled: Sequence[str], judge: Validator | None
) -> FileProof:
    before = _rejected_before(sink, table, file.job)
    rejected = found.rejected.get(table)
    now = _places(rejected) if rejected is not None else np.empty(0, np.int64)
    accepted = found.accepted.get(table)
    newly = int((~np.isin(now, before)).sum())
    counts = next((each for each in found.receipt.counts if each.table == table), None)
    return FileProof(
        read=file,
        rows=0 if counts is None else counts.emitted,
        newly_failing=newly,
        released=int((~np.isin(before, now)).sum()),
        still_failing=len(now) - newly,
        fills=0 if accepted is None else sum(len(accepted) - accepted[name].null_count for name in filled),
        strange=0 if accepted is None or judge is None else _strange(accepted, judge),
        as_json=frozenset(each.column for each in found.receipt.groups if (each.table, each.code) == (table, _NO_TEXT)),
        promises=_promises(file, found, table),
    )


def _promises(file: ReadBefore, found: Rehearsed, table: str) -> tuple[Promise, ...]:
    """What the file brings to each of its tables, the one that is changed among them.

    Nothing is promised where rows follow from more than the file: other files may have come when it is read again.
    """
    counts = {each.table: each for each in found.receipt.counts}
    if not all(follows_from_file(found.contracts[each]) for each in counts if each in found.contracts):
        return ()
    return tuple(
        Promise(
            version=file.bytes.version,
            job=file.job,
            table=each,
            accepted=counts[each].accepted if each in counts else 0,
            quarantined=counts[each].quarantined if each in counts else 0,
            row_digest=found.digests.get(each),
        )
        for each in sorted({table, *counts})
    )


def _rejected_before(sink: Sink, table: str, job: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The places of the rows that a job has in quarantine."""
    try:
        return _places(sink.read(table, Role.QUARANTINE, columns=[SOURCE_ROW], jobs=[job]).read_all())
    except NotFound:  # nothing of the table was ever rejected
        return np.empty(0, np.int64)


def _places(rows: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.asarray(rows[SOURCE_ROW], dtype=np.int64)


def _strange(accepted: pa.Table, judge: Validator) -> int:
    """How many of the new rows would not have fit before."""
    names = [name for name in judge.contract.names if name in accepted.column_names]
    failing = 0
    for batch in accepted.select([*names, SOURCE_ROW]).to_batches():
        found = judge.validate(batch.select(names), batch.column(SOURCE_ROW))
        failing += found.rejected.num_rows
    return failing
