"""What a worker says of an exception that no step foresaw."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from casparian_flow.worker.faults import host_fault
from casparian_flow.worker.spill import Spill

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this machine has no /dev/full")
def test_a_disk_without_room_for_rows_that_wait_is_a_reason_to_try_again() -> None:
    spill = Spill(FULL)
    rows = pa.record_batch({"text": ["x" * 100_000]})
    with pytest.raises(OSError) as caught:
        spill.write(rows, pa.array([1]), None, None)
    fault = host_fault(caught.value)
    assert (fault.code, fault.transient, fault.why) == ("home-unavailable", True, "the disk is full")


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), KeyError("x")])
def test_what_is_no_fault_of_a_disk_is_ours_and_stays(error: Exception) -> None:
    try:
        raise error
    except type(error) as exc:
        fault = host_fault(exc)
    assert (fault.code, fault.transient) == ("invariant-broken", False)
    assert "test_faults.py line" in fault.why
