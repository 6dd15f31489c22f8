"""A process that is killed between any two steps of stage, seal and promote leaves nothing that needs a person."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sinks import checkpoint, folder
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, commit, permitted, sealed

CHILD = """
import os, pickle, shutil, signal, sys
from pathlib import Path
import sink_builders as build
from casparian_flow.core.outputs import Role
from casparian_flow.sinks import checkpoint, folder
from casparian_flow.sinks.layout import table_folder
from casparian_flow.sinks.resolve import resolve_state
from casparian_flow.sinks.uri import open_sink

scheme, template, runs, scene = sys.argv[1:]
checkpoint.CHECKPOINT_EVERY = folder.CHECKPOINT_EVERY = 2
calls = 0

def watched(name, at):
    real = getattr(os, name)
    def call(*args, **options):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)
    return call

def work(root):
    sink = open_sink(f"{scheme}://{root}")
    if scene == "stage":
        build.sealed(sink, 2, [build.a_batch([7, 8])])
    elif scene == "rewrite":
        folder = table_folder(sink.root, Role.ACCEPTED, "events")
        sink.rewrite(1, "events", Role.ACCEPTED, [*resolve_state(folder, Role.ACCEPTED).files.values()], build.DIGEST)
    elif scene == "discard":
        sink.discard(build.Attempt(job=2, attempt=1), [pickle.loads(Path(template + ".outputs").read_bytes())])
    else:
        sink.promote(pickle.loads(Path(template + ".entries").read_bytes()))

for at in range(1, 1000):
    root = Path(runs, str(at))
    shutil.copytree(template, root)
    child = os.fork()
    if not child:
        for name in ("mkdir", "open", "write", "fsync", "close", "link", "unlink", "rmdir"):
            setattr(os, name, watched(name, at))
        work(root)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
"""


@pytest.fixture(autouse=True)
def checkpoints_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (checkpoint, folder):
        monkeypatch.setattr(module, "CHECKPOINT_EVERY", 2)


@pytest.fixture(params=["parquet", pytest.param("csv", marks=pytest.mark.slow)])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def a_template(scheme: str, folder: Path) -> tuple[Path, Sink]:
    template = folder / "template"
    sink = open_sink(f"{scheme}://{template}")
    commit(sink, 1, 1, [1, 2])
    return template, sink


def kill_at_every_step(scheme: str, template: Path, scene: str) -> list[Path]:
    """Copies of the template, each left behind by a process killed before its first, second, … step."""
    runs = template.parent / "runs"
    runs.mkdir()
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in ("src", "tests"))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, scheme, str(template), str(runs), scene],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(runs.iterdir(), key=lambda run: int(run.name))[:-1]  # the last one came to its end


def files_under(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def numbers(scheme: str, root: Path, role: Role = Role.ACCEPTED) -> list[int]:
    return open_sink(f"{scheme}://{root}").read("events", role).read_all().column("n").to_pylist()


def test_promoting_again_after_a_kill_ends_as_if_nothing_had_happened(scheme: str, tmp_path: Path) -> None:
    template, sink = a_template(scheme, tmp_path)
    accepted = sealed(sink, 2, [a_batch([7, 8])])
    rejected = sealed(sink, 2, [a_batch([9])], role=Role.QUARANTINE)
    entries = [permitted(accepted, 2, 2, removed_jobs=[1]), permitted(rejected, 1, 2)]
    (tmp_path / "template.entries").write_bytes(pickle.dumps(entries))
    clean = tmp_path / "clean"
    shutil.copytree(template, clean)
    open_sink(f"{scheme}://{clean}").promote(entries)

    runs = kill_at_every_step(scheme, template, "promote")

    assert len(runs) > 30
    seen = set()
    for run in runs:
        before = numbers(scheme, run)
        seen.add(tuple(before))
        assert before in ([1, 2], [7, 8]), f"a part of a commit was visible after step {run.name}"
        again = open_sink(f"{scheme}://{run}")
        again.promote(entries)
        again.sweep([])
        assert files_under(run) == files_under(clean), f"killed before step {run.name}"
        assert (numbers(scheme, run), numbers(scheme, run, Role.QUARANTINE)) == ([7, 8], [9])
    assert seen == {(1, 2), (7, 8)}


def test_what_a_killed_writer_leaves_is_unseen_and_swept(scheme: str, tmp_path: Path) -> None:
    template, _ = a_template(scheme, tmp_path)

    runs = kill_at_every_step(scheme, template, "stage")

    assert len(runs) > 10
    for run in runs:
        assert numbers(scheme, run) == [1, 2]
        sink = open_sink(f"{scheme}://{run}")
        sink.sweep([])
        assert files_under(run) == files_under(template), f"killed before step {run.name}"
        retry = sealed(sink, 2, [a_batch([7, 8])], attempt=2)
        entry: PermittedEntry = permitted(retry, 2, 2, removed_jobs=[1])
        sink.promote([entry])
        assert numbers(scheme, run) == [7, 8]


@pytest.mark.slow
def test_what_a_killed_rewrite_leaves_is_unseen_and_found_by_its_number(scheme: str, tmp_path: Path) -> None:
    template, sink = a_template(scheme, tmp_path)
    commit(sink, 2, 2, [3])

    runs = kill_at_every_step(scheme, template, "rewrite")

    assert len(runs) > 8
    for run in runs:
        assert numbers(scheme, run) == [1, 2, 3]
        again = open_sink(f"{scheme}://{run}")
        assert isinstance(again, FolderSink)
        again.sweep([])
        again.discard_rewritten("events", range(1, 2))
        assert files_under(run) == files_under(template), f"killed before step {run.name}"


def test_a_killed_discard_can_be_repeated(scheme: str, tmp_path: Path) -> None:
    template, sink = a_template(scheme, tmp_path)
    output = sealed(sink, 2, [a_batch([9])], role=Role.QUARANTINE)
    (tmp_path / "template.outputs").write_bytes(pickle.dumps(output))

    runs = kill_at_every_step(scheme, template, "discard")

    assert runs
    for run in runs:
        again = open_sink(f"{scheme}://{run}")
        again.sweep([])
        assert again.tables(Role.QUARANTINE) == []
        assert numbers(scheme, run) == [1, 2]
        assert not (run / "quarantine" / "events").exists(), f"killed before step {run.name}"
