"""What a person sees who comes back to a home whose sentinel was killed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from casparian_flow.core.errors import HomeBusy
from casparian_flow.core.presence import Presence
from casparian_flow.sentinel import home_lock
from product import ProductHere

KILLED = 999_999_999


def test_status_says_that_the_sentinel_was_killed_and_what_to_do(product_here: ProductHere, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("id,amount\n1,1.5\n")
    product_here.run(str(tmp_path / "sales.csv"))
    said = Presence(pid=KILLED, started="2026-01-01T00:00:00Z", product="0", control=str(tmp_path / "no.sock"))
    (product_here.home / "sentinel.json").write_bytes(msgspec.json.encode(said))

    shown = product_here("status", expect=[0]).out

    assert f"process {KILLED} was killed" in shown or f"killed_sentinel\t{KILLED}" in shown
    assert "casparian start" in shown


def test_who_finds_a_sentinel_at_work_is_not_told_to_wait_for_its_end(tmp_path: Path) -> None:
    for pid, advice in ((os.getpid(), "casparian status"), (KILLED, "--wait")):
        said = Presence(pid=pid, started="2026-01-01T00:00:00Z", product="0", control=str(tmp_path / "no.sock"))
        (tmp_path / "sentinel.json").write_bytes(msgspec.json.encode(said))
        lock = tmp_path / "lock"
        with home_lock.hold(lock), pytest.raises(HomeBusy) as refused, home_lock.hold(lock):
            pass
        assert advice in refused.value.fix
