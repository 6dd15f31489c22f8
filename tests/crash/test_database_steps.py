"""A process that is killed while it commits to a database leaves nothing that needs a person, and half of nothing."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, commit, permitted, sealed

CHILD = """
import os, pickle, resource, shutil, signal, sys
from pathlib import Path
from casparian_flow.sinks.duckdb_file import DuckDBConnection
from casparian_flow.sinks.sqlite_file import SQLiteConnection
from casparian_flow.sinks.uri import open_sink

scheme, template, entries, runs, how, *steps = sys.argv[1:]
calls = 0

def watched(real, at):
    def call(*args, **options):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)
    return call

for at in map(int, steps):
    root = Path(runs, str(at))
    shutil.copytree(template, root)
    child = os.fork()
    if not child:
        sink = open_sink(f"{scheme}://{root}/out.db")
        if how == "steps":
            for place in (DuckDBConnection, SQLiteConnection):
                for name in ("rows", "add", "load"):
                    setattr(place, name, watched(getattr(place, name), at))
            for name in ("mkdir", "link", "unlink", "rmdir"):
                setattr(os, name, watched(getattr(os, name), at))
        else:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (at, at))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sink.promote(pickle.loads(Path(entries).read_bytes()))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
"""


@pytest.fixture(params=["duckdb", "sqlite"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def kill(scheme: str, template: Path, entries: list[PermittedEntry], how: str, steps: range) -> list[Path]:
    """Copies of the template, each left behind by a process killed at one of these steps, the last one not killed."""
    runs, saved = template.parent / "runs", template.parent / "entries"
    runs.mkdir()
    saved.write_bytes(pickle.dumps(entries))
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in ("src", "tests"))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, scheme, str(template), str(saved), str(runs), how, *map(str, steps)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(runs.iterdir(), key=lambda run: int(run.name))[:-1]


def numbers(scheme: str, root: Path, role: Role = Role.ACCEPTED) -> list[int]:
    return open_sink(f"{scheme}://{root}/out.db").read("events", role).read_all().column("n").to_pylist()


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*"))


def test_promoting_again_after_a_kill_ends_as_if_nothing_had_happened(scheme: str, tmp_path: Path) -> None:
    template = tmp_path / "template"
    sink = open_sink(f"{scheme}://{template}/out.db")
    commit(sink, 1, 1, [1, 2])
    accepted = sealed(sink, 2, [a_batch([7, 8])])
    rejected = sealed(sink, 2, [a_batch([9])], role=Role.QUARANTINE)
    entries = [permitted(accepted, 2, 2, removed_jobs=[1]), permitted(rejected, 1, 2)]

    runs = kill(scheme, template, entries, "steps", range(1, 200, 7))

    assert len(runs) > 5
    seen = set()
    for run in runs:
        before = numbers(scheme, run)
        seen.add(tuple(before))
        assert before in ([1, 2], [7, 8]), f"a part of a commit was visible after step {run.name}"
        again = open_sink(f"{scheme}://{run}/out.db")
        assert again.tables(Role.QUARANTINE) == (["events"] if before == [7, 8] else [])
        again.promote(entries)
        again.sweep([])
        assert names(run) == ["out.db"], f"killed before step {run.name}"
        assert (numbers(scheme, run), numbers(scheme, run, Role.QUARANTINE)) == ([7, 8], [9])
    assert seen == {(1, 2), (7, 8)}


def test_a_first_commit_that_is_killed_can_be_repeated(scheme: str, tmp_path: Path) -> None:
    template = tmp_path / "template"
    entry = permitted(sealed(open_sink(f"{scheme}://{template}/out.db"), 1, [a_batch([7, 8])]), 1, 1)

    for run in kill(scheme, template, [entry], "steps", range(1, 200, 11)):
        again = open_sink(f"{scheme}://{run}/out.db")
        assert again.snapshot("events", Role.ACCEPTED).rows in (0, 2)
        again.promote([entry])
        again.sweep([])
        assert names(run) == ["out.db"], f"killed before step {run.name}"
        assert numbers(scheme, run) == [7, 8]


def test_a_kill_in_the_middle_of_writing_shows_all_or_nothing(scheme: str, tmp_path: Path) -> None:
    template = tmp_path / "template"
    sink = open_sink(f"{scheme}://{template}/out.db")
    commit(sink, 1, 1, [1, 2])
    texts = pa.array([os.urandom(16).hex() for _ in range(30_000)])
    batch = pa.record_batch({"n": pa.array(range(30_000), pa.int64()), "text": texts})
    entry = permitted(sealed(sink, 2, [batch]), 2, 2, removed_jobs=[1])

    runs = kill(scheme, template, [entry], "bytes", range(0, 6_000_000, 800_000))

    assert len(runs) > 1
    for run in runs:
        assert len(numbers(scheme, run)) in (2, 30_000), f"killed at {run.name} bytes"
        open_sink(f"{scheme}://{run}/out.db").promote([entry])
        assert len(numbers(scheme, run)) == 30_000
        assert names(run) == ["out.db"]
