"""EVTX to Parquet: a run beside a bare script of two processes, the evtx wheel alone, and plaso."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

from benchmarks.bars import EVTX_MEMORY, EVTX_PLASO, EVTX_SCRIPT
from benchmarks.data.event_logs import write_event_logs
from benchmarks.homes import Home
from benchmarks.process import MB, Measured, casparian, measure, peer
from benchmarks.rounds import Side, in_turn, peak, rate
from benchmarks.shape import MEMORY, ROWS, Bench, Benchmark, Row

_PLASO = ("--quiet", "--unattended", "--status_view", "none", "--parsers", "winevtx", "--storage_file")
_NO_PLASO = (
    f"log2timeline is not on the path; its libraries come as sources only and were not built for Python"
    f" {sys.version_info.major}.{sys.version_info.minor} here"
)


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
        "wheel": Side(lambda: peer("evtx_alone", str(logs))),
        "ours": Side(ours, home.forget),
    }
    plaso = shutil.which("log2timeline.py") or shutil.which("log2timeline")
    if plaso:
        sides["plaso"] = Side(lambda: measure([plaso, *_PLASO, str(target / "plaso"), str(logs)]), forget)
    found = in_turn(bench, sides)
    records = int(found["script"][0].out)
    accepted = next(each["accepted"] for each in found["ours"][0].json["tables"] if each["table"] == "evtx_events")
    if accepted != records:
        raise RuntimeError(f"{accepted} rows of ours, {records} of the script")
    speed, bare = rate(records, found["ours"]), rate(records, found["script"])
    yield Row(f"first run, {files} {kind}", ROWS, speed, "bare script", bare, EVTX_SCRIPT)
    yield Row(f"first run, {files} {kind}", ROWS, speed, "evtx wheel", rate(records, found["wheel"]))
    theirs = rate(records, found["plaso"]) if plaso else None
    yield Row(f"first run, {files} {kind}", ROWS, speed, "plaso", theirs, EVTX_PLASO, "" if plaso else _NO_PLASO)
    yield Row("peak memory", MEMORY, peak(found["ours"]), "bare script", peak(found["script"]), EVTX_MEMORY)


BENCHMARK = Benchmark(
    "evtx",
    "whole processes; the script has two of them, the evtx wheel, orjson, twenty typed columns and no flushing; the"
    " wheel alone makes JSON of every record in one process and keeps nothing; plaso writes its storage file; ours has"
    " thirty-five columns and the account of each file",
    _measure,
    (EVTX_SCRIPT, EVTX_PLASO, EVTX_MEMORY),
)
