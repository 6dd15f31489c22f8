"""A disk that is really full: a small one of its own, mounted where only the command sees it."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from product import SOURCE, Product

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
SCRIPT = """
set -e
mount -t tmpfs -o size=$1 tmpfs "$2"
shift 2
code=0
"$@" > said 2>&1 || code=$?
echo "first $code"
mount -o remount,size=100M "$PLACE"
code=0
"$@" > again 2>&1 || code=$?
echo "second $code"
cp -r "$PLACE" kept
"""


@cache
def can_mount() -> bool:
    """Whether this machine lets us have a file system of our own."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0


def make_files(folder: Path) -> None:
    """Six files whose rows take more room than there is."""
    folder.mkdir()
    chance = random.Random(20261121)
    for at in range(6):
        rows = [f"{at * 10_000 + row},{chance.randbytes(24).hex()}" for row in range(4000)]
        (folder / f"notes_{at}.csv").write_text("\n".join(["id,text", *rows]) + "\n")


@pytest.mark.slow
@pytest.mark.invariant(2)
@pytest.mark.parametrize("full", ["parquet", "csv", "duckdb", "sqlite", "home"])
def test_a_full_disk_is_named_and_with_space_again_the_run_finishes(full: str, tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("nothing can be mounted here; the crash matrix pretends full disks everywhere")
    scheme = "parquet" if full == "home" else full
    home, out = tmp_path / "home", tmp_path / "out"
    for folder in (home, out):
        folder.mkdir()
    make_files(tmp_path / "data")
    place = home if full == "home" else out
    uri = f"{scheme}://{out / 'db' if scheme in ('duckdb', 'sqlite') else out}"
    command = [sys.executable, "-m", "casparian_flow", "--home", str(home), "run", "data", "--sink", uri]
    command += ["--workers", "1"]
    (home / "config.toml").write_text("[run]\nretry_seconds = []\n")

    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", SCRIPT, "sh", "400k" if full == "home" else "900k", str(place), *command],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(SOURCE),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PLACE": str(place),
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=200,
    )

    said, again = (tmp_path / "said").read_text(), (tmp_path / "again").read_text()
    assert done.stdout.split() == ["first", "1" if full == "home" else "3", "second", "0"], (
        f"{done.stderr}\n{said}\n{again}"
    )
    assert "the disk is full" in said, said
    assert "Traceback" not in said and "crash" not in said, said
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "kept", place)
    table = Product(home).table("notes", sink=uri)
    assert sorted(table.column("id").to_pylist()) == sorted(at * 10_000 + row for at in range(6) for row in range(4000))
