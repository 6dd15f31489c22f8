"""A guest that is started before its order is known is taken once, and never left behind."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from casparian_flow.protocol.messages import Limits
from casparian_flow.worker import spare as spare_module
from casparian_flow.worker.launch import start_guest
from casparian_flow.worker.spare import Spare
from casparian_flow.worker.zygotes import Zygotes
from chaos.processes import is_alive
from guest_orders import a_job_order, a_parser_order, write_parser
from warm_zygotes import wait_until

IDLE = "def parse(path): ...\n"


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare_module, "CORES", 1)


@pytest.mark.usefixtures("two_cores")
def test_the_first_job_gets_it_in_a_folder_of_its_own_and_the_second_does_not(tmp_path: Path) -> None:
    parser = write_parser(tmp_path, IDLE)
    with closing(Spare()) as spare:
        spare.start()
        zygotes = Zygotes(tmp_path, spare)
        ready = spare._guest
        first = start_guest(a_parser_order(parser), [a_job_order(1)], Limits(), tmp_path, zygotes)
        second = start_guest(a_parser_order(parser), [a_job_order(2)], Limits(), tmp_path, None)
        try:
            assert first is ready and second is not ready
            [folder] = [each for each in tmp_path.glob("casparian-guest-*") if _is_there(first.pid, each)]
        finally:
            first.end()
            second.end()
        assert not folder.exists()
        assert spare.take() is None


def _is_there(pid: int, folder: Path) -> bool:
    """Whether the process has gone into that folder; it may be about to."""
    elsewhere = Path("/")
    wait_until(lambda: Path(f"/proc/{pid}/cwd").readlink() != elsewhere)
    return Path(f"/proc/{pid}/cwd").readlink() == folder


@pytest.mark.usefixtures("two_cores")
def test_one_that_nobody_took_ends_with_its_maker() -> None:
    with closing(Spare()) as spare:
        spare.start()
        assert spare._guest is not None
        pid = spare._guest.pid
        assert is_alive(pid)
    assert not is_alive(pid)


@pytest.mark.usefixtures("two_cores")
def test_one_that_died_meanwhile_is_not_given_to_anybody() -> None:
    with closing(Spare()) as spare:
        spare.start()
        assert spare._guest is not None
        os.kill(spare._guest.pid, signal.SIGKILL)
        wait_until(lambda: spare._guest is not None and spare._guest.has_exited)
        assert spare.take() is None


def test_on_one_core_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare_module, "CORES", 1 << 20)
    with closing(Spare()) as spare:
        spare.start()
        assert spare.take() is None
