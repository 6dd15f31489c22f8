"""Starting a guest and ending it leaves nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from casparian_flow.core.errors import ParserCrashed
from casparian_flow.protocol.messages import Limits
from casparian_flow.worker.launch import start_guest
from guest_orders import a_job_order, a_parser_order, write_parser


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_an_ended_guest_leaves_no_descriptor_no_folder_and_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    parser = write_parser(tmp_path, "def parse(path): ...\n")
    before = open_descriptors()
    guest = start_guest(a_parser_order(parser), [a_job_order(1)], Limits())
    assert not guest.has_exited
    guest.end()
    guest.kill()
    assert guest.wait(0) == -9
    assert open_descriptors() == before
    assert list(tmp_path.iterdir()) == [parser]


def test_a_guest_that_cannot_be_started_is_a_crash_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    before = open_descriptors()
    with pytest.raises(ParserCrashed, match="could not be started"):
        start_guest(a_parser_order(tmp_path / "p.py"), [a_job_order(1)], Limits())
    assert open_descriptors() == before
    assert list(tmp_path.iterdir()) == []
