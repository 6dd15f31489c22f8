"""The folders in which workers of one machine keep rows while they work."""

from __future__ import annotations

from pathlib import Path

from casparian_flow.worker.outpost import scratch_folder


def test_workers_at_the_same_time_have_folders_of_their_own(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as one, scratch_folder(tmp_path) as two:
        assert one != two
    with scratch_folder(tmp_path) as again:
        assert again == one


def test_what_workers_left_that_were_killed_goes_with_the_next_start_of_any(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as living:
        living.mkdir(parents=True)
        (living / "7.1").touch()
        for number in (2, 5):
            left = tmp_path / str(number) / "scratch" / "8.1"
            left.mkdir(parents=True)
            (left / "0.rows").write_text("SSN-Alpha-0417")
        with scratch_folder(tmp_path):
            assert not list(tmp_path.rglob("*.rows"))
            assert (living / "7.1").exists(), "one that works is left alone"
