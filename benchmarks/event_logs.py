"""EVTX to Parquet: a run beside a bare script of two processes over the same event logs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from benchmarks.data.event_logs import write_event_logs
from benchmarks.homes import Home
from benchmarks.process import MB, Measured, casparian, peer
from benchmarks.rounds import Side, in_turn, peak, rate
from benchmarks.shape import MEMORY, ROWS, Bar, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    logs, home, target = bench.folder / "logs", Home(bench.folder), bench.folder / "peer"
    logs.mkdir()
    kind, files = write_event_logs(logs, bench.pick(6, 200) * MB)

    def ours() -> Measured:
        done = casparian(home.path, "run", str(logs))
        if done.json["completed"] != files:
            raise RuntimeError(f"not every log was read:\n{done.out[-2000:]}")
        return done

    def forget() -> None:
        shutil.rmtree(target, ignore_errors=True)

    sides = {
        "script": Side(lambda: peer("evtx_script", str(logs), str(target)), forget),
        "ours": Side(ours, home.forget),
    }
    found = in_turn(bench, sides)
    records = int(found["script"][0].out)
    accepted = next(each["accepted"] for each in found["ours"][0].json["tables"] if each["table"] == "evtx_events")
    if accepted != records:
        raise RuntimeError(f"{accepted} rows of ours, {records} of the script")
    speed, bare = rate(records, found["ours"]), rate(records, found["script"])
    yield Row(f"first run, {files} {kind}", ROWS, speed, "bare script", bare, Bar(0.8, of_ratio=True))
    yield Row("peak memory", MEMORY, peak(found["ours"]), "bare script", peak(found["script"]), Bar(600))


BENCHMARK = Benchmark(
    "evtx",
    "whole processes; the script has two of them, the evtx wheel, orjson, twenty typed columns and no flushing;"
    " ours has thirty-five columns and the account of each file",
    _measure,
)
