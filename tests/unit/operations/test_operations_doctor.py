"""The doctor finds what is wrong, says what to do, and never fails itself."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest

from builders import NOW_NS, HomeBuilder
from casparian_flow.operations.doing.home import doctor, init
from casparian_flow.operations.home import machine
from casparian_flow.operations.home.doctor import Examine, Health, Mend
from casparian_flow.operations.home.init import InitCase
from casparian_flow.operations.local import Local
from casparian_flow.settings import Home


def local(home: Home, **changes) -> Local:
    values = {"home": home, "case": None, "env": {}, "overrides": {}, "cwd": home.path.parent, "now_ns": NOW_NS}
    return Local(**(values | changes))


def found(home: Home, check: str, **changes) -> list[tuple[Health, str]]:
    checks = doctor.examine(local(home, **changes), Examine()).checks
    return [(each.health, each.found) for each in checks if each.check == check]


def test_a_sound_home_has_nothing_that_fails(past):
    diagnosis = doctor.examine(local(past.home), Examine())
    assert diagnosis.health is not Health.FAIL
    assert {check.check for check in diagnosis.checks} == set(doctor.CHECKS)
    assert all(check.fix for check in diagnosis.checks if check.health is not Health.OK)


def test_a_home_that_does_not_exist_is_no_fault(tmp_path):
    assert found(Home(tmp_path / "no" / "home"), "home")[0][0] is Health.OK
    assert found(Home(tmp_path / "no" / "home"), "database") == [(Health.OK, "not made yet")]


def test_a_home_that_others_can_read_is_a_warning(past):
    past.home.path.chmod(0o755)
    assert found(past.home, "home")[0][0] is Health.WARN


def test_a_wrong_setting_fails(past):
    past.home.config.write_text("[run]\nworkres = 1\n")
    ((health, words),) = found(past.home, "settings")
    assert health is Health.FAIL and "run.workers" in words


@pytest.mark.parametrize("content", [b"", b"not a database, " * 500])
def test_a_damaged_database_fails(tmp_path, content):
    home = Home(tmp_path)
    home.state.write_bytes(content)
    assert found(home, "database")[0][0] is Health.FAIL


def test_another_schema_fails(past):
    past.database.driver.execute("ALTER TABLE cf_meta ADD COLUMN surprise")
    assert found(past.home, "database")[0][0] is Health.FAIL


def test_a_commit_that_was_cut_short_is_a_warning(past):
    past.commit()
    assert [health for health, _ in found(past.home, "database")] == [Health.OK, Health.WARN]


def test_what_a_crash_left_in_staging_is_a_warning_only_while_nobody_works(past):
    (past.home.staging / "1.1").mkdir(parents=True)
    assert found(past.home, "staging")[0][0] is Health.WARN
    handle = os.open(past.home.lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.write(handle, json.dumps({"pid": 7, "command": "casparian run"}).encode())
    try:
        assert found(past.home, "staging")[0][0] is Health.OK
        assert found(past.home, "lock") == [(Health.OK, "held by process 7: casparian run")]
    finally:
        os.close(handle)
    assert found(past.home, "lock") == [(Health.OK, "free")]


def test_a_wrong_clock_and_jobs_from_the_future_are_warnings(past: HomeBuilder):
    assert found(past.home, "clock", now_ns=0)[0][0] is Health.WARN
    location = past.location(past.source())
    past.job(location, past.version(location), past.parser(), queued_at_ns=NOW_NS + 10**15)
    assert found(past.home, "database")[1][0] is Health.WARN


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path):
    mounts = tmp_path / "mounts"
    deep = tmp_path / "a b" / "c"
    deep.mkdir(parents=True)
    escaped = str(tmp_path / "a b").replace(" ", "\\040")
    mounts.write_text(f"root / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\nbroken\n")
    assert machine.file_system(deep, mounts) == "nfs4"
    assert machine.file_system(tmp_path, mounts) == "ext4"
    assert machine.file_system(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize("note", [b"", b"\xff\x00", b"{}", b'{"pid": "x"}', b"[" * 5000])
def test_a_lock_file_that_says_nonsense_is_no_fault(tmp_path, note):
    path, locks = tmp_path / "lock", tmp_path / "locks"
    path.write_bytes(note)
    locks.write_text(f"1: FLOCK ADVISORY WRITE 42 08:01:{path.stat().st_ino} 0 EOF\n")
    assert machine.lock_holder(path, locks) == "process 42"


def test_init_makes_a_private_case_folder_once(tmp_path):
    here = local(Home(tmp_path / "x"), cwd=tmp_path)
    first, again = (init.init(here, InitCase(folder="case")) for _ in range(2))
    assert (first.is_new, again.is_new) == (True, False)
    made = tmp_path / "case" / ".casparian"
    assert Path(first.home) == made
    assert made.stat().st_mode & 0o777 == 0o700
    assert (made / "config.toml").read_text().startswith("# Settings of this case")


def test_mending_closes_the_home_to_others_and_says_so_once(past):
    past.home.path.chmod(0o755)
    past.home.staging.mkdir(exist_ok=True)
    past.home.staging.chmod(0o500)
    mended = doctor.mend(local(past.home), Mend()).mended
    assert {each.check for each in mended} == {"home", "staging"}
    assert "was 755" in mended[0].done
    assert past.home.path.stat().st_mode & 0o777 == 0o700
    assert doctor.mend(local(past.home), Mend()).mended == []


def test_mending_makes_no_home(tmp_path):
    assert doctor.mend(local(Home(tmp_path / "no")), Mend()).mended == []
    assert not (tmp_path / "no").exists()
