"""Hints name what changed; where they cannot, that is known."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from casparian_flow.scout import hints
from casparian_flow.scout.hints import Heard, Root, SystemHints
from casparian_flow.scout.mounts import silent_mount

MOUNTS = rb"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/share\040one rw - nfs4 server:/x rw
31 22 0:41 / /srv/cloud rw - fuse.rclone remote rw
32 30 8:2 / /mnt/share\040one/local rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        (b"/data", None),
        (b"/mnt/share one/in", "nfs4"),
        (b"/mnt/share one/local/in", None),
        (b"/srv/cloud", "fuse.rclone"),
        (b"/srv/clouds", None),
        (b"/", "nfs4"),
    ],
)
def test_a_file_system_that_others_change_is_known_by_its_mount(tmp_path: Path, folder: bytes, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_bytes(MOUNTS)
    found = silent_mount(folder, mounts)
    assert found in ("nfs4", "fuse.rclone") if folder == b"/" else found == kind


def test_where_no_list_of_mounts_is_nothing_is_concluded(tmp_path: Path) -> None:
    assert silent_mount(b"/data", tmp_path / "none") is None


def heard_until(system: SystemHints, wanted: set[bytes]) -> Heard:
    """All that is heard until these paths were among it."""
    changed: list[tuple[int, bytes]] = []
    until = time.monotonic() + 20
    while time.monotonic() < until:
        heard = system.wait(5.0, threading.Event())
        changed += heard.changed
        if heard.is_lossy or wanted <= {path for _, path in changed}:
            return Heard(changed, heard.is_lossy)
    raise AssertionError(f"heard only {changed}")


def test_changes_are_heard_by_source_and_not_those_in_deaf_folders(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "home").mkdir(parents=True)
    (root / "sub").mkdir()
    system = SystemHints(deaf=[bytes(root / "home")])
    system.open({1: Root(bytes(root)), 2: Root(bytes(root / "sub"))})
    try:
        (root / "home" / "state").write_text("x")
        (root / "sub" / "a.csv").write_text("x")
        heard = heard_until(system, {b"sub/a.csv", b"a.csv"})
    finally:
        system.close()
    assert {(1, b"sub/a.csv"), (2, b"a.csv")} <= set(heard.changed)
    assert not any(path.startswith(b"home") for _, path in heard.changed)


def test_a_name_that_is_not_utf_8_makes_hints_lossy_and_they_go_on(tmp_path: Path) -> None:
    system = SystemHints()
    system.open({1: Root(bytes(tmp_path))})
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/a\xff.csv")).write_text("x")
        assert heard_until(system, {b"never"}).is_lossy
        (tmp_path / "b.csv").write_text("x")
        assert not heard_until(system, {b"b.csv"}).is_lossy
    finally:
        system.close()


def test_a_limit_of_the_system_is_told_and_nothing_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr(hints, "RustNotify", refused)
    system = SystemHints()
    system.open({1: Root(bytes(tmp_path)), 2: Root(bytes(tmp_path), b"one.csv")})
    assert "watch limit" in system.silent[1]
    assert system.silent[2] == "it is one file"
    assert system.wait(0.0, threading.Event()) == Heard()


def test_a_stop_ends_the_waiting(tmp_path: Path) -> None:
    system = SystemHints()
    system.open({1: Root(bytes(tmp_path))})
    stop = threading.Event()
    stop.set()
    try:
        assert system.wait(3600.0, stop) == Heard()
    finally:
        system.close()
