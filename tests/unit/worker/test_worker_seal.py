"""From channels to a receipt: every row is accounted for once."""

from __future__ import annotations

from dataclasses import replace

from casparian_flow.core.outputs import Role, SealedOutput, SinkTarget
from casparian_flow.core.receipts import MOST_NOTES, DriftNote, OutputCounts
from casparian_flow.core.routes import Routes
from casparian_flow.worker.seal import SealedTables, receipt_of, with_more


def sealed(role: Role, rows: int, **counts: int) -> SealedTables:
    count = OutputCounts(table="bad", emitted=rows, **({"accepted": 0, "quarantined": 0} | counts))
    output = SealedOutput(
        sink="s", table="bad", role=role, contract_version=1, schema_hash="", rows=rows, row_digest="", files=()
    )
    return SealedTables((count,), (output,), (), ())


def test_a_table_that_is_sealed_in_two_steps_is_counted_as_one() -> None:
    first = receipt_of(sealed(Role.QUARANTINE, 1, quarantined=1), (), "process", 1.0, 10)
    whole = with_more(first, sealed(Role.ACCEPTED, 2, accepted=2), 0.5)
    assert whole.counts == (OutputCounts(table="bad", emitted=3, accepted=2, quarantined=1),)
    whole.check_conservation(Routes(default=(SinkTarget("s"),)))


def test_differences_beyond_the_most_are_counted_together() -> None:
    notes = tuple(
        DriftNote(table="t", axis="new_column", column=f"c{at}", detail="string", rows=at % 7 + 1)
        for at in range(MOST_NOTES + 50)
    )
    receipt = receipt_of(replace(sealed(Role.QUARANTINE, 1, quarantined=1), drift=notes), (), "process", 1.0, 10)
    receipt = with_more(receipt, replace(sealed(Role.QUARANTINE, 1, quarantined=1), drift=notes[:5]), 2.0)
    assert len(receipt.drift) == MOST_NOTES
    assert sum(note.rows for note in receipt.drift) == sum(note.rows for note in (*notes, *notes[:5]))
    assert min(note.rows for note in receipt.drift[:-1]) >= 1
