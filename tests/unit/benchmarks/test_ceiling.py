"""What wants more memory than the ceiling allows fails, and what does not is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import ceiling as ceilings
from benchmarks.ceiling import ceiling, limits_of_processes
from benchmarks.process import MB, environment


def take(words: list[str], size: int) -> int:
    """The exit code of a program that takes so many bytes of memory and uses them."""
    program = f"data = bytearray({size}); data[::4096] = bytes(len(data[::4096]))"
    command = [*words, sys.executable, "-c", program]
    return subprocess.run(command, env=environment(), stderr=subprocess.DEVNULL).returncode


def test_a_process_that_wants_more_than_its_share_fails() -> None:
    words = list(limits_of_processes(300 * MB).words)
    assert take(words, 40 * MB) == 0
    assert take(words, 110 * MB) != 0


def test_the_ceiling_of_this_machine_holds() -> None:
    with ceiling(300 * MB) as limit:
        assert take(list(limit.words), 40 * MB) == 0
        assert take(list(limit.words), 320 * MB) != 0


def test_limits_of_processes_add_up_to_no_more_than_the_ceiling() -> None:
    limit = limits_of_processes(1000 * MB)
    assert limit.most_processes is not None
    assert int(limit.words[-1]) * limit.most_processes <= 1000 * MB


@pytest.fixture
def groups(tmp_path: Path, monkeypatch) -> Path:
    """A tree like that of control groups, in which this process is at `session/shell`."""
    own = tmp_path / "session" / "shell"
    own.mkdir(parents=True)
    for folder in (tmp_path, own.parent, own):
        (folder / "cgroup.procs").touch()
        (folder / "cgroup.subtree_control").write_text("cpu\n")
    monkeypatch.setattr(ceilings, "_own_groups", lambda root: [own.parent, root])
    return tmp_path


def test_a_group_is_made_where_memory_is_handed_down_and_we_may_write(groups: Path) -> None:
    assert ceilings._new_group(MB, groups) is None
    (groups / "cgroup.subtree_control").write_text("cpu memory\n")
    found = ceilings._new_group(MB, groups)
    assert found == groups / f"casparian-benchmark-{os.getpid()}"
    assert (found / "memory.max").read_text() == str(MB)
