"""Nothing starves: whatever arrives, a job that is due has its turn within a number of claims that is known."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from builders import NOW_NS, HomeBuilder
from casparian_flow.protocol.bodies import Identify
from casparian_flow.sentinel.queue.dispatch import Dispatcher
from casparian_flow.sentinel.queue.fairness import OLDEST_EVERY
from casparian_flow.sentinel.queue.sessions import Session

MANIFEST = '{"name": "x", "entry": "parse(path)"}'


def a_session(name: str, *parsers: str) -> Session:
    profile = Identify(worker=name, host="h", pid=1, product="0", slots=1, isolation="process", parsers=list(parsers))
    return Session(peer=name.encode(), nonce=name, name=name, profile=profile, heard_ns=NOW_NS)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("workers", [1, 4])
def test_no_job_waits_longer_than_the_law_says_under_a_steady_stream_of_newer_more_urgent_ones(
    tmp_path: Path, workers: int, seed: int
) -> None:
    chance = random.Random(seed)
    with HomeBuilder(tmp_path / "home") as past:
        location = past.location(past.source())
        version = past.version(location)
        parsers = {
            name: past.parser(name, origin="plugin", manifest=MANIFEST.replace('"x"', f'"{name}"'))
            for name in ("own", "other")
        }
        # Workers that may not do the job take their turns too, in every rhythm.
        sessions = [a_session("able"), *(a_session(f"w{n}", ("own", "other")[n % 2]) for n in range(workers - 1))]
        able = [session for session in sessions if "other" not in session.profile.parsers]
        older = [past.job(location, version, parsers["own"], "queued", priority=10) for _ in range(4)]
        victim = past.job(location, version, parsers["own"], "queued", priority=-1000)
        dispatcher, claims, bound = Dispatcher(), Counter[str](), OLDEST_EVERY * (len(older) + 1)
        taken: set[int] = set()
        while victim not in taken:
            for name in chance.choices(["own", "other"], k=2):
                past.job(location, version, parsers[name], "queued", priority=1000)
            session = chance.choice(sessions) if seed % 2 else sessions[sum(claims.values()) % len(sessions)]
            claims[session.name] += 1
            with past.database.transaction() as connection:
                taken |= {row.id for row in dispatcher.claim(connection, session, parsers.values(), 0, NOW_NS)}
            assert all(claims[each.name] <= bound for each in able), f"seed {seed}: {claims}"
    assert len(taken) == sum(claims.values())


def test_the_most_urgent_job_is_taken_first_in_between(tmp_path: Path) -> None:
    with HomeBuilder(tmp_path / "home") as past:
        location = past.location(past.source())
        version = past.version(location)
        parser = past.parser("own", origin="plugin", manifest=MANIFEST)
        jobs = [past.job(location, version, parser, "queued", priority=priority) for priority in range(10)]
        dispatcher, session = Dispatcher(), a_session("able")
        order = []
        for _ in jobs:
            with past.database.transaction() as connection:
                order += [row.id for row in dispatcher.claim(connection, session, [parser], 0, NOW_NS)]
    assert order == [*jobs[:2:-1], jobs[0], jobs[2], jobs[1]]
