"""Tables follow their folder while files arrive, whatever arrives and however."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from product import Product, conforming

pytestmark = pytest.mark.timeout(100)
FAST = ("--settle", "0.4", "--reconcile", "1")
PATIENCE = 60.0


class Watching:
    """A watch in a process of its own, read round by round."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.rounds: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}

    def next_round(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        document: dict[str, Any] = conforming(json.loads(line))
        if document["schema"] == "casparian.watch.round/1":
            self.rounds.append(document)
        else:
            self.summary = document
        return document

    def until(self, is_so: Callable[[], bool]) -> None:
        """Follow rounds until something is so; the test's own time limit ends what never comes."""
        while not is_so():
            self.next_round()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        for line in out.splitlines():
            document = conforming(json.loads(line))
            if document["schema"] == "casparian.watch.ended/1":
                self.summary = document
        assert "Traceback" not in err, err
        return self.process.returncode


@contextmanager
def watching(product: Product, *arguments: str) -> Iterator[Watching]:
    process = product.start(*arguments, "--json")
    try:
        yield Watching(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def drop(path: Path, text: str) -> None:
    """As well-behaved programs do: written aside, then renamed into place."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text)
    aside.rename(path)


def rows(product: Product, table: str) -> list[str]:
    found = product.table(table)
    return sorted(map(str, found.column("b").to_pylist())) if found.num_rows else []


@pytest.mark.slow
def test_files_that_are_dropped_appended_moved_in_and_replaced_become_rows(product: Product, tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    (folder / "first.csv").write_text("a,b\n1,one\n")
    with watching(product, "run", str(folder), "--watch", *FAST) as watch:
        watch.until(lambda: rows(product, "first") == ["one"])
        drop(folder / "second.csv", "a,b\n2,two\n")
        watch.until(lambda: rows(product, "second") == ["two"])
        with (folder / "second.csv").open("a") as file:
            file.write("3,three\n")
        watch.until(lambda: rows(product, "second") == ["three", "two"])
        (outside / "deep" / "er").mkdir(parents=True)
        (outside / "deep" / "er" / "third.csv").write_text("a,b\n4,four\n")
        shutil.move(outside / "deep", folder / "deep")
        watch.until(lambda: rows(product, "third") == ["four"])
        drop(folder / "first.csv", "a,b\n5,five\n")
        watch.until(lambda: rows(product, "first") == ["five"])
        (folder / "second.csv").unlink()
        watch.until(lambda: "second.csv" in states(product, "missing"))
        assert watch.stop() == 0
    assert watch.summary["completed"] == 5
    assert watch.summary["failed"] == 0


def states(product: Product, state: str) -> list[str]:
    return [each["path"] for each in product("files", "--state", state, "--json").json["files"]]


@pytest.mark.slow
def test_what_no_hint_names_is_found_all_the_same(product: Product, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    arguments = ("run", str(tmp_path / "in"), "--watch", *FAST, "--set", "watch.hints=none")
    with watching(product, *arguments) as watch:
        watch.next_round()
        (tmp_path / "in" / "one.csv").write_text("a,b\n1,one\n")
        watch.until(lambda: rows(product, "one") == ["one"])
        assert watch.rounds[-1]["is_everything"]
        assert watch.stop(signal.SIGINT) == 0


@pytest.mark.slow
def test_a_file_that_still_grows_is_never_read_by_halves(product: Product, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = [f"{number},row{number:03}\n" for number in range(40)]
    with watching(product, "run", str(folder), "--watch", "--settle", "4", "--reconcile", "1") as watch:
        watch.next_round()
        with (folder / "slow.csv").open("w") as file:
            file.write("a,b\n")
            for at in range(0, len(lines), 2):
                file.writelines(lines[at : at + 2])
                file.flush()
                time.sleep(0.3)  # the pace of the program that writes, which is what is tested
                if at == 16:
                    asked = product.start("files", "--json")
        watch.until(lambda: bool(rows(product, "slow")))
        assert len(rows(product, "slow")) == len(lines)
        assert watch.stop() == 0
    (entry,) = conforming(json.loads(asked.communicate(timeout=PATIENCE)[0]))["files"]
    assert (entry["reason"], "looked at again at" in entry["detail"]) == ("growing", True)
    jobs = product("jobs", "--json").json["jobs"]
    assert [job["state"] for job in jobs] == ["completed"]


@pytest.mark.slow
def test_after_a_kill_the_next_watch_finds_what_came_meanwhile(product: Product, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "one.csv").write_text("a,b\n1,one\n")
    with watching(product, "run", str(folder), "--watch", *FAST) as watch:
        watch.until(lambda: rows(product, "one") == ["one"])
        (folder / "two.csv").write_text("a,b\n2,two\n")
        os.killpg(watch.process.pid, signal.SIGKILL)
        watch.process.wait(PATIENCE)
    (folder / "three.csv").write_text("a,b\n3,three\n")
    with watching(product, "run", str(folder), "--watch", *FAST) as watch:
        watch.until(lambda: rows(product, "two") == ["two"] and rows(product, "three") == ["three"])
        assert watch.stop() == 0
    assert rows(product, "one") == ["one"]


@pytest.mark.slow
def test_a_home_inside_the_watched_folder_gives_a_watch_nothing_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "one.csv").write_text("a,b\n1,one\n")
    product = Product(folder / ".casparian")
    with watching(product, "run", str(folder), "--watch", "--settle", "0.2", "--timeout", "8") as watch:
        watch.until(lambda: bool(watch.summary))
        assert watch.process.wait(PATIENCE) == 0
    assert len(watch.rounds) <= 2
    assert watch.summary["completed"] == 1


@pytest.mark.slow
def test_a_scan_goes_on_too_and_says_what_changed(product: Product, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    process = product.start("scan", str(folder), "--watch", *FAST, "--format", "table")
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("round 1 at ")
        drop(folder / "one.csv", "a,b\n1,one\n")
        while "1 new contents" not in (line := process.stdout.readline()):
            assert line, process.stderr.read() if process.stderr else ""
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        assert "watched " in out
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("run", ".", "--settle", "1"), "--watch"),
        (("run", "--watch", "--plan", "@1"), "a saved plan is run once"),
        (("scan", ".", "--watch", "--problems"), "what is there now"),
        (("run", "nothing-there", "--watch"), "there is no nothing-there"),
    ],
)
def test_what_cannot_be_watched_is_said_at_once(product_here: Product, arguments: tuple[str, ...], why: str) -> None:
    answer = product_here(*arguments)
    assert answer.code in (2, 5)
    assert why in answer.err
