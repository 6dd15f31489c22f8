"""What a receipt has to be before anything is decided by it: a worker may say whatever it likes."""

from __future__ import annotations

from casparian_flow.core.drift import Axis
from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.outputs import Role
from casparian_flow.core.proofs import MOST_SAMPLES
from casparian_flow.core.receipts import (
    LONGEST_OUTPUT_SURVEY,
    LONGEST_SURVEY,
    MOST_NEW_COLUMNS,
    MOST_NOTES,
    DriftNote,
    Receipt,
)
from casparian_flow.core.routes import Routes
from casparian_flow.schema.survey import Survey
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.layout import is_relative_data_name, is_table_name, owner_of

MOST = 1 << 48
"""Rows, bytes and versions beyond are no numbers of this world; sums of many below it still fit into the store."""


def owner_of_receipt(receipt: Receipt) -> Attempt | None:
    """The attempt after which a receipt's files are named, its own or that of its group's leader; None without any."""
    for output in receipt.outputs:
        for file in output.files:
            return owner_of(output.table, file.name.partition("/")[2])
    return None


def check_receipt(receipt: Receipt, leader: Attempt, routes: Routes) -> None:
    """Raises InvariantBroken unless the receipt names only files of its group in sinks of the job, and adds up."""
    if len({count.table for count in receipt.counts}) < len(receipt.counts):
        raise InvariantBroken("a receipt counts a table twice")
    _check_numbers(receipt)
    _check_notes(receipt)
    for count in receipt.counts:
        if not is_table_name(count.table):
            raise InvariantBroken(f"{count.table[:200]!r} cannot name a table")
    _check_places(receipt, routes)
    for output in receipt.outputs:
        if output.files and sum(file.rows for file in output.files) != output.rows:
            raise InvariantBroken(f"the files of {output.table} do not account for its rows", where=output.sink)
        for file in output.files:
            owner = owner_of(output.table, file.name.partition("/")[2])
            if owner != leader:
                raise InvariantBroken(f"{file.name!r} is not a file of this attempt", where=output.sink)
            if not is_relative_data_name(output.table, file.name):
                raise InvariantBroken(f"{file.name!r} does not lie in the folder of its table", where=output.sink)
    receipt.check_conservation(routes)


class SharedFiles:
    """The files that the receipts of one group have named so far: it is one and the same file for all of them."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, Role, str], tuple[int, str]] = {}

    def check(self, receipt: Receipt) -> None:
        """Raises InvariantBroken if the receipt says of a file what another one does not say."""
        for output in receipt.outputs:
            for file in output.files:
                place = (output.sink, output.table, output.role, file.name)
                if self._found.setdefault(place, (file.size, file.digest)) != (file.size, file.digest):
                    raise InvariantBroken(f"{file.name!r} is another file to others of its group", where=output.sink)


def _check_places(receipt: Receipt, routes: Routes) -> None:
    """Every place is one of the job's, and is named once: what is empty elsewhere would be looked for there."""
    counted = {count.table for count in receipt.counts}
    places = [(output.sink, output.table, output.role) for output in receipt.outputs]
    if len(set(places)) < len(places):
        raise InvariantBroken("a receipt names a place twice")
    for sink, table, _role in places:
        if table not in counted or routes.mode_of(sink, table) is None:
            raise InvariantBroken(f"nothing of {table[:200]!r} was to be written there", where=sink)


def _check_notes(receipt: Receipt) -> None:
    """What differs from contracts is kept for as long as the job: it stays small."""
    if len(receipt.drift) > MOST_NOTES or len(receipt.known) > MOST_NOTES:
        raise InvariantBroken(f"a receipt has more than {MOST_NOTES} differences, or tables that were asked")
    for note in receipt.drift:
        samples = sum(len(sample) for sample in note.samples)
        longest = LONGEST_OUTPUT_SURVEY if note.axis == Axis.NEW_OUTPUT else LONGEST_SURVEY
        if len(note.survey) > longest or len(note.samples) > MOST_SAMPLES or samples > LONGEST_SURVEY:
            raise InvariantBroken("a receipt tells too much of a difference", where=note.table)
        if note.axis not in frozenset(Axis):
            raise InvariantBroken(f"files do not differ on an axis {note.axis[:200]!r}", where=note.table[:200])
        if note.survey:
            _check_survey(note)


def _check_numbers(receipt: Receipt) -> None:
    numbers = [receipt.bytes_read]
    for count in receipt.counts:
        numbers += [count.emitted, count.accepted, count.quarantined, count.rescued]
    for output in receipt.outputs:
        numbers += [output.contract_version, output.rows]
        for file in output.files:
            numbers += [file.rows, file.size]
    numbers += [group.rows for group in receipt.groups] + [note.rows for note in receipt.drift]
    numbers += [each.seq for each in receipt.known]
    if any(not 0 <= number <= MOST for number in numbers):
        raise InvariantBroken("a receipt has numbers that cannot be")


def _check_survey(note: DriftNote) -> None:
    try:
        survey = Survey.from_bytes(note.survey)
        survey.verdicts()
        if note.axis == Axis.NEW_OUTPUT:
            is_of_it = len(survey.columns) <= MOST_NEW_COLUMNS and survey.rows == note.rows
        else:
            is_of_it = set(survey.columns) == {note.column}
    except Exception as exc:  # a survey is whatever a worker says
        raise InvariantBroken("what drifted cannot be read back", where=note.table[:200], why=str(exc)[:200]) from exc
    if not is_of_it:
        raise InvariantBroken("what drifted is about something else", where=note.table[:200])
