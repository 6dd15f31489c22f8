"""What is suggested for a cause is something that is there: an option of its parser, or a command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casparian_flow.core.quarantine import EntryState
from casparian_flow.operations.doing.quarantine.fixes import Cause, suggested
from casparian_flow.operations.index import find
from casparian_flow.operations.quarantine.raw import AskRaw, RevealRaw
from casparian_flow.operations.registry import Effect

CAST = Cause(reference="c41f09aa", parser="csv", table="t", code="cf.cast.int64", column="n", sample=" N/A", rows=9_000)


@pytest.mark.parametrize(
    ("cause", "options", "short"),
    [
        (CAST, ["null"], "--option null=N/A"),
        (replace(CAST, nulls=("-", "NA")), ["null"], "--option null=-,NA,N/A"),
        (replace(CAST, nulls=("N/A",)), ["null"], None),
        (CAST, [], None),
        (replace(CAST, sample="$(reboot)"), ["null"], None),
        (replace(CAST, sample="12,5", rows=3), ["null"], "casparian quarantine repair ROW"),
        (replace(CAST, code="cf.csv.quote", column=""), ["quote"], "--option quote=none"),
        (replace(CAST, code="cf.log.encoding", column=""), ["encoding"], "--option encoding=cp1252"),
        (replace(CAST, code="cf.log.encoding", column=""), ["year"], None),
        (replace(CAST, code="cf.evtx.record", column="", rows=1), [], None),
        (replace(CAST, state=EntryState.FIX_READY), ["null"], "casparian quarantine replay c41f09aa"),
    ],
)
def test_only_what_is_known_to_be_there_is_suggested(cause: Cause, options: list[str], short: str | None) -> None:
    found = suggested(cause, options)
    assert (found is None) == (short is None)
    assert found is None or found.short.startswith(str(short))
    assert found is None or found.command.startswith("casparian quarantine re")


def test_who_may_read_sees_records_and_who_may_decide_those_of_closed_columns() -> None:
    raw, reveal = find("quarantine.raw"), find("quarantine.reveal")
    assert (raw.request, raw.effect) == (AskRaw, Effect.READ)
    assert (reveal.request, reveal.effect) == (RevealRaw, Effect.APPROVE)
