"""`kill -9` of the whole process at any moment, then a normal run: the tables equal those of a quiet run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from product import Product

SEED = 20260302


def make_corpus(folder: Path, files: int) -> None:
    """CSV and JSON Lines files of five tables; every seventh row of a CSV is damaged."""
    folder.mkdir()
    chance = random.Random(SEED)
    for number in range(files):
        rows = chance.randrange(5, 40)
        if number % 3 == 2:
            lines = [f'{{"id": {number * 100 + row}, "name": "n{row}", "ok": true}}' for row in range(rows)]
            (folder / f"events_{number}.jsonl").write_text("\n".join(lines) + "\n")
        else:
            lines = ["id,amount,note"] + [
                f"{number * 100 + row},{row}.5" + ("" if row % 7 == 6 else f",note {row}") for row in range(rows)
            ]
            (folder / f"sales{'abcd'[number % 4]}_{number}.csv").write_text("\n".join(lines) + "\n")


def run_and_kill(product: Product, corpus: Path, after: float) -> bool:
    """Start a run and kill its whole session after so many seconds; whether it was still alive."""
    process = product.start("run", str(corpus))
    try:
        process.communicate(timeout=after)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True


def survives(tmp_path: Path, files: int, kills: int) -> None:
    """Kill at random moments over the length of a quiet run, each time followed by a normal run."""
    corpus = tmp_path / "corpus"
    make_corpus(corpus, files)
    quiet = Product(tmp_path / "quiet")
    seconds = quiet.run(str(corpus))["seconds"] + 0.8
    expected = quiet.content()
    assert sum(map(len, expected.values())) > files
    chance = random.Random(SEED)
    killed = 0
    for attempt in range(kills):
        product = Product(tmp_path / f"home{attempt}")
        after = chance.uniform(0.3, seconds)
        killed += run_and_kill(product, corpus, after)
        reply = product.run(str(corpus))
        assert product.content() == expected, f"seed {SEED}, kill {attempt} after {after:.3f} s"
        again = product.run(str(corpus))
        assert again["run"] == 0, f"seed {SEED}, kill {attempt}: {reply}"
    assert killed, "no run was killed: the moments are too late"


@pytest.mark.slow
@pytest.mark.invariant(2)
@pytest.mark.timeout(600)
def test_a_hundred_files_killed_six_times_give_the_tables_of_a_quiet_run(tmp_path: Path) -> None:
    survives(tmp_path, files=100, kills=6)
