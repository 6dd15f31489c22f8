"""Starting a guest and ending it leaves nothing behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from casparian_flow.core.errors import ParserCrashed
from casparian_flow.protocol.messages import Limits, ParserOrder
from casparian_flow.worker.launch import start_guest
from casparian_flow.worker.zygotes import Zygotes
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


class Unheard(Zygotes):
    """As if a zygote forked and died before it could say so: what it was given is still held by somebody."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def fork(self, parser: ParserOrder, limits: Limits, descriptors: Sequence[int]) -> None:
        self.given = [os.dup(descriptor) for descriptor in descriptors]


def test_a_copy_that_nobody_heard_of_gets_nothing_of_what_a_fresh_guest_is_told(tmp_path: Path) -> None:
    zygotes = Unheard()
    parser = write_parser(tmp_path, "def parse(path): ...\n")
    guest = start_guest(a_parser_order(parser), [a_job_order(1)], Limits(), tmp_path, zygotes)
    line, *pipes = zygotes.given
    try:
        assert os.read(line, 1) == b""
        for pipe in pipes:
            with pytest.raises(BrokenPipeError):
                os.write(pipe, b"x")
        assert len(list(tmp_path.glob("casparian-guest-*"))) == 1
    finally:
        guest.end()
        for descriptor in zygotes.given:
            os.close(descriptor)
