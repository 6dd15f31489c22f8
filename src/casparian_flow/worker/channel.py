"""One table of a group while its rows arrive: split by its contract, stamped with lineage, staged in its sinks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from casparian_flow.core.contracts import Contract
from casparian_flow.core.outputs import Role, SealedOutput
from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.core.receipts import DriftNote, OutputCounts
from casparian_flow.schema.groups import GroupCounter
from casparian_flow.schema.rejections import reject_all
from casparian_flow.schema.validate import Validator
from casparian_flow.sinks.base import Attempt, Staging
from casparian_flow.sinks.lineage import Stamp
from casparian_flow.worker.gathered import Gathered
from casparian_flow.worker.role_writer import RoleWriter


@dataclass(frozen=True, slots=True)
class SealedTable:
    """What became of the rows that one member brought for a table."""

    counts: OutputCounts
    outputs: Sequence[SealedOutput]
    groups: Sequence[QuarantineGroup]
    drift: Sequence[DriftNote]


@dataclass(slots=True)
class _Account:
    """What is counted for one member. Its validator exists only once its rows had to be judged by themselves."""

    groups: GroupCounter
    validator: Validator | None = None
    rescued: int = 0
    rows: dict[Role, int] = field(default_factory=lambda: dict.fromkeys(Role, 0))


class Channel:
    """Rows of a group's members for one table, read and judged once, and staged in every sink of that table.

    Nothing is staged before there is a row, so empty outputs leave no file. What is sealed for a member never depends
    on who else is in its group: rows are judged together only as long as nothing is to be said about any of them.
    """

    def __init__(
        self, table: str, contract: Contract | None, owner: Attempt, sinks: Sequence[Staging], stamp: Stamp
    ) -> None:
        self._table = table
        self._contract = contract
        self._owner = owner
        self._sinks = sinks
        self._stamp = stamp
        self._validator = None if contract is None else Validator(contract)
        self._accounts: dict[int, _Account] = {}
        self._writers: dict[Role, RoleWriter] = {}

    def expect(self, member: int) -> None:
        """Count this member, too, though it may have no row here."""
        self._account(member)

    def accept(self, rows: Gathered) -> None:
        """Take rows in: those that fit the contract are accepted, the others rejected with every reason."""
        if len(rows.runs) == 1:
            self._accept_alone(rows)
        elif not self._accept_whole(rows):
            self._accept_pieces(rows)

    def refuse(self, rows: Gathered, code: str, message: str) -> None:
        """Reject every row of a batch, for a reason that is no column's."""
        rejected = reject_all(rows.batch, code, message, start=rows.start, end=rows.end)
        self.reject(Gathered(batch=rejected, source_row=rows.source_row, runs=rows.runs))

    def reject(self, rows: Gathered) -> None:
        """Put rejections into quarantine."""
        at = 0
        for member, count in rows.runs:
            account = self._account(member)
            if count:
                account.groups.add(rows.batch.slice(at, count))
            at += count
        self._write(Role.QUARANTINE, rows)

    def seal(self) -> dict[int, SealedTable]:
        """Flush everything to disk; what was sealed for each member."""
        sealed = {role: self._writers[role].seal() for role in Role if role in self._writers}
        return {member: self._sealed(member, account, sealed) for member, account in self._accounts.items()}

    def discard(self) -> None:
        """Remove what was staged, wherever that is possible; raises SinkError if it was not possible everywhere."""
        with ExitStack() as stack:
            for writer in self._writers.values():
                stack.callback(writer.discard)

    def _account(self, member: int) -> _Account:
        if member not in self._accounts:
            self._accounts[member] = _Account(GroupCounter(self._table))
        return self._accounts[member]

    def _accept_whole(self, rows: Gathered) -> bool:
        """Accept rows of several members if each of them fits as it is; whether that was so."""
        assert self._validator is not None
        together = self._validator.afresh()
        found = together.validate(rows.batch, rows.source_row, rows.start, rows.end)
        if found.rejected.num_rows or found.rescued or together.drift():
            return False
        for member, _ in rows.runs:
            self._account(member)
        self._write(Role.ACCEPTED, Gathered(batch=found.accepted, source_row=found.accepted_row, runs=rows.runs))
        return True

    def _accept_pieces(self, rows: Gathered) -> None:
        """Judge rows that do not all fit: half by half while they are few files' rows, else file by file."""
        middle = len(rows.runs) // 2
        halves = [rows.part(0, middle), rows.part(middle, len(rows.runs))]
        doubtful = [half for half in halves if len(half.runs) == 1 or not self._accept_whole(half)]
        if len(doubtful) == 1 and len(doubtful[0].runs) > 1:
            self._accept_pieces(doubtful[0])
            return
        for half in doubtful:
            for part in half.parts():
                self._accept_alone(part)

    def _accept_alone(self, rows: Gathered) -> None:
        assert self._validator is not None
        member = rows.runs[0].member
        account = self._account(member)
        if account.validator is None:
            account.validator = self._validator.afresh()
        found = account.validator.validate(rows.batch, rows.source_row, rows.start, rows.end)
        account.rescued += found.rescued
        self._write(Role.ACCEPTED, Gathered.of(member, found.accepted, found.accepted_row))
        if found.rejected.num_rows:
            self.reject(Gathered.of(member, found.rejected, found.rejected_row))

    def _write(self, role: Role, rows: Gathered) -> None:
        if rows.batch.num_rows == 0:
            return
        for member, count in rows.runs:
            self._account(member).rows[role] += count
        stamped = self._stamp.put(rows.batch, rows.source_row, rows.runs)
        if role not in self._writers:
            version = self._contract.version if self._contract else 0
            writer = self._writers[role] = RoleWriter(rows.batch.schema)
            for sink in self._sinks:
                writer.add(sink.stage(self._owner, self._table, role, version, stamped.schema))
        self._writers[role].write(rows, stamped)

    def _sealed(self, member: int, account: _Account, sealed: dict[Role, dict[int, list[SealedOutput]]]) -> SealedTable:
        accepted, quarantined = account.rows[Role.ACCEPTED], account.rows[Role.QUARANTINE]
        counts = OutputCounts(
            table=self._table,
            emitted=accepted + quarantined,
            accepted=accepted,
            quarantined=quarantined,
            rescued=account.rescued,
        )
        return SealedTable(
            counts,
            [output for of_role in sealed.values() for output in of_role.get(member, ())],
            account.groups.groups(),
            [] if account.validator is None else account.validator.drift(),
        )
