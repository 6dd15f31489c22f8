"""One trial from its seed to its verdict."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from product import Product

from . import audit
from .corpus import Corpus
from .crew import Crew, Served, a_crew, end_outpost, wait_for
from .storm import Storm

SCHEMES = ("parquet", "duckdb", "sqlite", "csv")
RETRIES = "[run]\nretry_seconds = [0.2, 0.5, 1, 2, 2, 2, 2, 2, 2, 2]\n"


def sinks_in(folder: Path, schemes: tuple[str, ...]) -> list[str]:
    """A sink of each kind in a folder."""
    return [f"{scheme}://{folder / scheme}" + ("" if scheme in ("parquet", "csv") else ".db") for scheme in schemes]


@dataclass(frozen=True)
class Scene:
    """What a trial is about, for whoever disturbs it."""

    crew: Crew
    corpus: Corpus
    storm: Storm


Disturb = Callable[[Scene], None]


def run_trial(
    root: Path,
    seed: int,
    disturb: Disturb | float,
    *,
    schemes: tuple[str, ...] = SCHEMES,
    workers: int = 3,
    files: int = 5,
    tell: Callable[[str], None] = lambda _line: None,
) -> None:
    """Disturb a service at work, by a storm of so many seconds or otherwise; fails with what does not hold afterwards.

    The files of a trial that failed are left for whoever looks for the cause.
    """
    began = time.monotonic()

    def say(line: str) -> None:
        tell(f"{time.monotonic() - began:6.1f} {line}")

    corpus = Corpus(root / "files", seed, files)
    corpus.make()
    oracle = Product(root / "oracle" / "home")
    oracle.home.parent.mkdir(parents=True)
    expected = f"parquet://{root / 'oracle' / 'out'}"
    audit.run_all(oracle, corpus, [expected])
    product = Served(root / "crew" / "home")
    product.home.mkdir(parents=True)
    (product.home / "config.toml").write_text(RETRIES)
    sinks = sinks_in(root / "crew", schemes)
    say("the undisturbed run is over")
    with a_crew(product, workers=workers - workers // 3, joined=workers // 3) as crew:
        storm = Storm(crew, corpus, sinks, Random(f"storm {seed}"), say)
        if isinstance(disturb, float | int):
            storm.run(disturb)
        else:
            disturb(Scene(crew, corpus, storm))
        say("no more faults")
        audit.everything_ends_by_itself(crew, storm)
        say("every job is over")
        audit.answers_to_cancels_were_true(storm)
        audit.people_put_right(crew, corpus, sinks)
        say("every table is up to date")
        audit.counts_agree(product, sinks)
        product("stop", "--drain", expect=[0])
        for process in crew.outposts.values():
            end_outpost(process)
        wait_for(lambda: all(each.poll() is not None for each in crew.outposts.values()), "a worker stays")
        audit.nothing_is_left(crew)
    audit.run_all(oracle, corpus, [expected])
    audit.tables_equal(product, sinks, oracle, expected)
    audit.nothing_is_there_twice(product, sinks)
    assert audit.run_all(product, corpus, sinks) == 0
    if left := audit.unnamed_files(product, sinks):
        raise AssertionError(f"{len(left)} files that nobody names: {[str(path) for path in left[:5]]}")
    say("all is well")
    for made in root.iterdir():
        if not made.is_mount():
            shutil.rmtree(made)
