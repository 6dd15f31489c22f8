from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from casparian_flow.scout.entries import Entry
from casparian_flow.scout.ignore import parse_rules
from casparian_flow.scout.walk import CHUNK, Tree, walk


def entries(path: Path, **options: object) -> list[Entry]:
    return [one for batch in walk(Tree(os.fsencode(path), **options)) for one in batch]  # type: ignore[arg-type]


def kinds(path: Path, **options: object) -> dict[bytes, str]:
    return {one.rel_path: str(one.kind) for one in entries(path, **options)}


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of a user without privileges, whom permissions bind, and that user's identity."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


def test_entries_come_in_the_order_of_their_whole_paths(evidence: Path) -> None:
    for name in ("a/z", "a/b/c", "a-b", "a.txt", "a0", "b/x", "B"):
        (evidence / name).parent.mkdir(parents=True, exist_ok=True)
        (evidence / name).touch()
    found = [one.rel_path for one in entries(evidence)]
    assert found == sorted(found)
    assert len(found) == 7


def test_a_folder_larger_than_one_batch_is_listed_completely(evidence: Path) -> None:
    (evidence / "large").mkdir()
    for number in range(CHUNK + 5):
        (evidence / "large" / f"{number:05}").touch()
    (evidence / "large" / "00007-folder").mkdir()
    (evidence / "large" / "00007-folder" / "inner").touch()
    found = [one.rel_path for one in entries(evidence)]
    assert found == sorted(found)
    assert len(found) == CHUNK + 6


def test_what_is_no_ordinary_file_is_an_entry_with_a_reason(evidence: Path) -> None:
    (evidence / "file").write_bytes(b"x")
    os.mkfifo(evidence / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(evidence / "socket"))
    listener.close()
    (evidence / "self").symlink_to("self")
    (evidence / "broken").symlink_to("nothing")
    (evidence / "up").symlink_to(".")
    (evidence / "to_file").symlink_to("file")
    (evidence / "null").symlink_to("/dev/null")
    assert kinds(evidence) == {
        b"file": "file",
        b"pipe": "fifo",
        b"socket": "socket",
        b"self": "symlink_loop",
        b"broken": "symlink_broken",
        b"up": "symlink_loop",
        b"to_file": "symlink",
        b"null": "symlink",
    }
    assert all(one.problem for one in entries(evidence) if one.rel_path != b"file")


def test_devices_are_listed_and_not_opened() -> None:
    assert kinds(Path("/dev"), only=b"null") == {b"null": "device"}


def test_hostile_names_are_files_with_a_remark(evidence: Path) -> None:
    for name in (b"\xff\xfe.csv", b"line\nbreak", b"\x1b[31mred", "\u202egpj.exe".encode(), b"plain"):
        os.close(os.open(os.fsencode(evidence) + b"/" + name, os.O_CREAT))
    problems = {one.rel_path: one.problem for one in entries(evidence)}
    assert len(problems) == 5
    assert problems.pop(b"plain") is None
    assert all(problems.values())


def test_a_folder_that_cannot_be_listed_is_one_entry(nobody: Path) -> None:
    os.seteuid(0)
    for name, mode in (("open", 0o755), ("closed", 0o700)):
        (nobody / name).mkdir()
        (nobody / name / "file").touch()
        (nobody / name).chmod(mode)
    os.seteuid(65534)
    found = {one.rel_path: (one.kind, one.problem) for one in entries(nobody)}
    assert found[b"closed/"] == ("unreadable", "cannot be listed: Permission denied")
    assert b"closed/file" not in found
    assert found[b"open/file"][0] == "file"


def test_a_path_longer_than_the_system_takes_is_an_entry(evidence: Path) -> None:
    here = os.open(evidence, os.O_RDONLY)
    for _ in range(20):
        os.mkdir(b"d" * 250, dir_fd=here)
        below = os.open(b"d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    [entry] = entries(evidence)
    assert entry.kind == "unreadable"
    assert entry.rel_path.endswith(b"d/")


def test_a_root_that_is_gone_is_one_entry_for_all_of_it(evidence: Path) -> None:
    assert kinds(evidence / "gone") == {b"./": "unreadable"}


def test_the_home_and_output_targets_are_not_entered(evidence: Path) -> None:
    for name in ("home/outputs/x", "target/_cf/log/1.json", "target/part.parquet", "data.csv", "not/_cf/x"):
        (evidence / name).parent.mkdir(parents=True, exist_ok=True)
        (evidence / name).touch()
    assert kinds(evidence, home=os.fsencode(evidence / "home")) == {
        b"data.csv": "file",
        b"home/": "ignored",
        b"not/_cf/x": "file",
        b"target/": "ignored",
    }


def test_a_root_inside_the_home_is_not_entered(evidence: Path) -> None:
    (evidence / "outputs").mkdir()
    assert kinds(evidence / "outputs", home=os.fsencode(evidence)) == {b"./": "ignored"}


def test_ignored_folders_are_one_entry_and_ignored_files_one_each(evidence: Path) -> None:
    for name in ("cache/a", "cache/b", "keep/x.tmp", "keep/y.tmp", "keep/z.csv", ".casparianignore"):
        (evidence / name).parent.mkdir(exist_ok=True)
        (evidence / name).touch()
    assert kinds(evidence, ignore=parse_rules("cache/\n*.tmp\n!y.tmp\n")) == {
        b".casparianignore": "ignored",
        b"cache/": "ignored",
        b"keep/x.tmp": "ignored",
        b"keep/y.tmp": "file",
        b"keep/z.csv": "file",
    }
