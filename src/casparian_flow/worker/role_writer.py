"""Rows of one table and role on their way into every sink, digested for each member; later batches go behind."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pyarrow as pa

from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.outputs import SealedFile, SealedOutput
from casparian_flow.schema.digest import Content, RowDigest
from casparian_flow.sinks.base import Staged
from casparian_flow.worker.behind import Behind
from casparian_flow.worker.gathered import Gathered, Run, merged


class RoleWriter:
    """Takes rows of one schema, of any members in any order; tells at the end what each of them has where."""

    def __init__(self, schema: pa.Schema) -> None:
        """`schema` is the rows' own, without lineage."""
        self._schema_hash = _schema_hash(schema)
        self._staged: list[Staged] = []
        self._digests: dict[int, RowDigest] = {}
        self._runs: list[Run] = []
        self._behind = Behind()

    def add(self, staged: Staged) -> None:
        """One more place for the rows, before the first of them."""
        self._staged.append(staged)

    def write(self, rows: Gathered, stamped: pa.RecordBatch) -> None:
        """Write rows, at least one; `stamped` are the same with their lineage."""
        if self._runs:
            self._behind.do(partial(self._take, rows, stamped), stamped.nbytes)
        else:  # a small table needs no thread
            self._take(rows, stamped)
        self._runs[-1:] = merged([*self._runs[-1:], *(run for run in rows.runs if run.rows)])

    def seal(self) -> dict[int, list[SealedOutput]]:
        """Flush everything to disk; what each member has in each sink."""
        self._behind.finish()
        digests = {member: digest.hex() for member, digest in self._digests.items()}
        found: dict[int, list[SealedOutput]] = {member: [] for member in digests}
        rows = dict.fromkeys(digests, 0)
        for run in self._runs:
            rows[run.member] += run.rows
        for staged in self._staged:
            whole = staged.seal(next(iter(digests.values())), self._schema_hash)
            shares = [whole.files] if len(digests) == 1 else _shares(whole.files, self._runs, list(digests))
            for member, files in zip(digests, shares, strict=True):
                found[member].append(replace(whole, rows=rows[member], row_digest=digests[member], files=files))
        return found

    def discard(self) -> None:
        """Remove what was written, wherever that is possible; raises SinkError if it was not possible everywhere."""
        self._behind.stop()
        with ExitStack() as stack:
            for staged in self._staged:
                stack.callback(staged.discard)

    def _take(self, rows: Gathered, stamped: pa.RecordBatch) -> None:
        content, at = Content(rows.batch), 0
        for member, count in rows.runs:
            if count:
                if member not in self._digests:
                    self._digests[member] = RowDigest()
                self._digests[member].add(content, at, count)
            at += count
        for staged in self._staged:
            staged.write(stamped)


def _shares(files: Sequence[SealedFile], runs: Sequence[Run], members: Sequence[int]) -> list[tuple[SealedFile, ...]]:
    """The files that hold rows of each member, with how many of its rows they hold."""
    found: dict[int, dict[int, int]] = {member: {} for member in members}
    at, room = 0, files[0].rows if files else 0
    for member, rows in runs:
        left = rows
        while left and at < len(files):
            taken = min(left, room)
            if taken:
                found[member][at] = found[member].get(at, 0) + taken
            left, room = left - taken, room - taken
            if not room:
                at += 1
                room = files[at].rows if at < len(files) else 0
    return [tuple(replace(files[place], rows=rows) for place, rows in found[member].items()) for member in members]


def _schema_hash(schema: pa.Schema) -> str:
    return digest_of_json([[field.name, str(field.type)] for field in schema])
