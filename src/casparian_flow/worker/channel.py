"""One table of a group while its rows arrive: split by its contract, stamped with lineage, staged in its sinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import DRAFTING, Axis, Mode, Modes, frozen_at
from casparian_flow.core.errors import ContractFrozen
from casparian_flow.core.outputs import Role, SealedOutput
from casparian_flow.core.quarantine import Code, QuarantineGroup
from casparian_flow.core.receipts import DriftNote, KnownTable, OutputCounts
from casparian_flow.schema.groups import GroupCounter
from casparian_flow.schema.new_outputs import NewOutputs, Room
from casparian_flow.schema.rejections import reject_all
from casparian_flow.schema.repair import Kept, Repairs, is_repaired, repaired, written_out
from casparian_flow.schema.row_rules import RowRules
from casparian_flow.schema.treat import Treatments
from casparian_flow.schema.validate import Validator
from casparian_flow.sinks.base import Attempt, Staging
from casparian_flow.sinks.lineage import Stamp
from casparian_flow.worker.gathered import Gathered
from casparian_flow.worker.role_writer import RoleWriter

NO_REPAIRS: Mapping[int, Repairs] = {}


@dataclass(frozen=True, slots=True)
class SealedTable:
    """What became of the rows that one member brought for a table."""

    counts: OutputCounts
    outputs: Sequence[SealedOutput]
    groups: Sequence[QuarantineGroup]
    drift: Sequence[DriftNote]
    known: Sequence[KnownTable]


@dataclass(frozen=True, slots=True)
class Member:
    """One job of a group: the hash of its bytes, and what it shares among its channels."""

    source: str
    room: Room = field(default_factory=Room)


@dataclass(slots=True)
class _Account:
    """What is counted for one member. Its validator exists only once its rows had to be judged by themselves."""

    groups: GroupCounter
    undeclared: NewOutputs
    validator: Validator | None = None
    rescued: int = 0
    row_rules: RowRules | None = None
    rows: dict[Role, int] = field(default_factory=lambda: dict.fromkeys(Role, 0))


class Channel:
    """Rows of a group's members for one table, read and judged once, and staged in every sink of that table.

    Nothing is staged before there is a row, so empty outputs leave no file. What is sealed for a member never depends
    on who else is in its group: rows are judged together only as long as nothing is to be said about any of them.
    """

    def __init__(
        self,
        table: str,
        contract: Contract | None,
        modes: Modes,
        owner: Attempt,
        members: Sequence[Member],
        sinks: Sequence[Staging],
        stamp: Stamp,
        row_rules: Callable[[int], RowRules] | None = None,
        treatments: Treatments | None = None,
        repairs: Mapping[int, Repairs] = NO_REPAIRS,
    ) -> None:
        """`modes` hold where the contract says nothing itself.

        `row_rules` makes for a member the rules about a row among others, if the contract has any; `treatments` say
        how values are to be treated, if any of them may not be seen; `repairs` are those of each member that has any.
        """
        self._table = table
        self._contract = contract
        self._modes = modes
        self._members = members
        self._owner = owner
        self._sinks = sinks
        self._stamp = stamp
        self._treatments = treatments
        self._row_rules = row_rules
        self._repairs = repairs
        self._validator = None if contract is None else Validator(contract, modes)
        self._accounts: dict[int, _Account] = {}
        self._writers: dict[Role, RoleWriter] = {}

    def expect(self, member: int) -> None:
        """Count this member, too, though it may have no row here."""
        self._account(member)

    def accept(self, rows: Gathered) -> None:
        """Take rows in: those that fit the contract are accepted, the others rejected with every reason."""
        if len(rows.runs) == 1:
            self._accept_alone(rows)
        elif self._row_rules is not None or any(member in self._repairs for member in rows.members):
            for part in rows.parts():
                self._accept_alone(part)
        elif not self._accept_whole(rows):
            self._accept_pieces(rows)

    def refuse(self, rows: Gathered, output: str) -> None:
        """Reject every row of an output that the parser does not declare.

        Raises ContractFrozen where the mode of new outputs says so.
        """
        message = f"the parser does not declare an output {output!r}"
        if self._modes.new_output is Mode.FREEZE and rows.batch.num_rows:
            frozen = frozen_at("" if self._contract is None else self._contract.hash, self._effective_modes.digest)
            lets_go_on = "casparian config set drift.new_output propose"
            raise ContractFrozen(
                f"{self._table}@{frozen} is frozen: {message}",
                why=f"the mode of {Axis.NEW_OUTPUT} is {Mode.FREEZE}: {lets_go_on} has its rows wait in quarantine",
                fix=lets_go_on,
            )
        rejected = reject_all(rows.batch, Code.OUTPUT_UNDECLARED, message, start=rows.start, end=rows.end)
        at = 0
        for part in rows.parts():
            texts = rejected["values"].slice(at, part.batch.num_rows)
            self._account(part.runs[0].member).undeclared.take(output, part.batch, part.source_row, texts)
            at += part.batch.num_rows
        self.reject(Gathered(batch=rejected, source_row=rows.source_row, runs=rows.runs))

    def reject_records(self, rows: Gathered) -> None:
        """Take in records of one member that its parser could not read: rows where a person wrote them out."""
        member = rows.runs[0].member
        repairs = self._repairs.get(member)
        if repairs and self._contract is not None:
            is_written = is_repaired(rows.source_row, repairs)
            rejected, places = rows.batch.filter(is_written), rows.source_row.filter(is_written)
            if rejected.num_rows:
                batch, kept = written_out(rejected, places, repairs, self._contract)
                self._judge(Gathered.of(member, batch, places, rejected["start"], rejected["end"]), kept)
                rest = pc.invert(is_written)
                rows = Gathered.of(member, rows.batch.filter(rest), rows.source_row.filter(rest))
        if rows.batch.num_rows:
            self.reject(rows)

    def put_accepted(self, rows: Gathered) -> None:
        """Write rows that fit, as their table is to have them."""
        self._write(Role.ACCEPTED, rows)

    def reject(self, rows: Gathered) -> None:
        """Put rejections into quarantine."""
        if self._treatments is not None:
            rows = rows.with_batch(self._treatments.rejections(rows.batch))
        at = 0
        for member, count in rows.runs:
            account = self._account(member)
            if count:
                account.groups.add(rows.batch.slice(at, count))
            at += count
        self._write(Role.QUARANTINE, rows)

    def seal(self) -> dict[int, SealedTable]:
        """Flush everything to disk; what was sealed for each member. Raises ContractFrozen where the modes say so."""
        for account in self._accounts.values():
            if account.validator is not None:
                account.validator.conclude()
        sealed = {role: self._writers[role].seal() for role in Role if role in self._writers}
        return {member: self._sealed(member, account, sealed) for member, account in self._accounts.items()}

    def discard(self) -> None:
        """Remove what was staged, wherever that is possible; raises SinkError if it was not possible everywhere."""
        with ExitStack() as stack:
            for writer in self._writers.values():
                stack.callback(writer.discard)

    @property
    def _effective_modes(self) -> Modes:
        return self._modes if self._contract is None else self._modes.with_overrides(self._contract.drift)

    def _account(self, member: int) -> _Account:
        if member not in self._accounts:
            mine = self._members[member]
            is_drafted = self._contract is None and self._modes.new_output in DRAFTING
            undeclared = NewOutputs(mine.source, mine.room if is_drafted else None)
            self._accounts[member] = _Account(GroupCounter(self._table), undeclared)
        return self._accounts[member]

    def _accept_whole(self, rows: Gathered) -> bool:
        """Accept rows of several members if each of them fits as it is; whether that was so."""
        assert self._validator is not None
        together = self._validator.afresh()
        found = together.validate(rows.batch, rows.source_row, rows.start, rows.end)
        if found.rejected.num_rows or found.rescued or together.has_drift:
            return False
        for member, _ in rows.runs:
            self._account(member)
        accepted = self._treated(found.accepted)
        self.put_accepted(Gathered(batch=accepted, source_row=found.accepted_row, runs=rows.runs))
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
        assert self._contract is not None
        kept = Kept()
        if repairs := self._repairs.get(rows.runs[0].member):
            batch, kept = repaired(rows.batch, rows.source_row, repairs, self._contract)
            rows = rows.with_batch(batch)
        self._judge(rows, kept)

    def _judge(self, rows: Gathered, kept: Kept) -> None:
        """Rows of one member, with what goes with them where they were repaired."""
        assert self._validator is not None
        member = rows.runs[0].member
        account = self._account(member)
        if account.validator is None:
            account.row_rules = None if self._row_rules is None else self._row_rules(member)
            account.validator = self._validator.afresh(self._members[member].source, account.row_rules)
        found = account.validator.validate(rows.batch, rows.source_row, rows.start, rows.end, kept.rescues, kept.faults)
        account.rescued += found.rescued
        self.put_accepted(Gathered.of(member, self._treated(found.accepted), found.accepted_row))
        if found.rejected.num_rows:
            self.reject(Gathered.of(member, found.rejected, found.rejected_row))

    def _treated(self, accepted: pa.RecordBatch) -> pa.RecordBatch:
        return accepted if self._treatments is None else self._treatments.rows(accepted)

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
        drift = [] if account.validator is None else account.validator.drift()
        drift += account.undeclared.notes(self._table)
        asked = {} if account.row_rules is None else account.row_rules.asked
        counts = OutputCounts(
            table=self._table,
            emitted=accepted + quarantined,
            accepted=accepted,
            quarantined=quarantined,
            rescued=account.rescued,
            modes=self._effective_modes.digest if drift else "",
        )
        return SealedTable(
            counts,
            [output for of_role in sealed.values() for output in of_role.get(member, ())],
            account.groups.groups(),
            drift if self._treatments is None else [self._treatments.drift(each) for each in drift],
            [KnownTable(table=table, seq=seq) for table, seq in asked.items()],
        )
