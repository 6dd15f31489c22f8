"""A folder belongs to the first home that claims it."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.errors import TargetOwned, VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.owner import MARK
from casparian_flow.sinks.uri import open_sink
from sink_builders import commit


def test_the_first_home_keeps_a_target_and_every_other_is_refused_by_name(tmp_path: Path) -> None:
    sink = open_sink(f"parquet://{tmp_path / 'deep' / 'out'}")
    assert sink.owner() is None
    sink.claim("first")
    before = (tmp_path / "deep" / "out" / MARK).read_bytes()
    sink.claim("first")
    with pytest.raises(TargetOwned, match="belongs to another home") as caught:
        sink.claim("second")
    assert caught.value.why == "home first writes there"
    assert sink.owner() == "first"
    assert (tmp_path / "deep" / "out" / MARK).read_bytes() == before


def test_a_target_with_commits_and_without_a_mark_can_be_claimed_and_reads_as_before(tmp_path: Path) -> None:
    sink = open_sink(f"parquet://{tmp_path}")
    commit(sink, 1, 7, [1, 2])
    before = sink.snapshot("events", Role.ACCEPTED)
    sink.claim("home")
    assert sink.snapshot("events", Role.ACCEPTED) == before
    assert sink.tables(Role.ACCEPTED) == ["events"]


@pytest.mark.parametrize("data", [b"", b'{"home":"x"}', b"\x00" * 10])
def test_a_damaged_mark_is_nobodys(tmp_path: Path, data: bytes) -> None:
    mark = tmp_path / MARK
    mark.parent.mkdir()
    mark.write_bytes(data)
    with pytest.raises(VerificationFailed):
        open_sink(f"parquet://{tmp_path}").claim("home")
    assert mark.read_bytes() == data


def test_what_a_killed_claim_left_goes_with_the_next_one(tmp_path: Path) -> None:
    sink = open_sink(f"parquet://{tmp_path / 'out'}")
    half = tmp_path / "out" / MARK.with_name(f".{MARK.name}.{'0' * 16}.tmp")
    half.parent.mkdir(parents=True)
    half.touch()
    sink.claim("first")
    assert [path.name for path in half.parent.iterdir()] == [MARK.name]
    half.touch()
    sink.claim("first")
    assert [path.name for path in half.parent.iterdir()] == [MARK.name]
