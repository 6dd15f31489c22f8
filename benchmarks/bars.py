"""The bars: every line of the design's section 10, and what was promised beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.shape import Bar

FIRST_LISTING = Bar("10⁶ files in 12 s, cold", 1_000_000 / 12)
LISTING_AGAIN = Bar("10⁶ files in 8 s, without changes", 1_000_000 / 8)
LISTING_MEMORY = Bar("10⁶ files in 300 MB", 300)
NOTHING_TO_DO = Bar("10⁵ files in 8 s, nothing to do", 100_000 / 8)
IN_PLACE = Bar("half of DuckDB's speed with the contract in place", 0.5, of_ratio=True)
FIRST_CONTACT = Bar("a quarter of DuckDB's speed at first contact", 0.25, of_ratio=True)
BESIDE_DLT = Bar("20 times dlt's speed", 20, of_ratio=True)
EVTX_SCRIPT = Bar("0.8 of a bare script's speed", 0.8, of_ratio=True)
EVTX_PLASO = Bar("40 times plaso's speed", 40, of_ratio=True)
EVTX_MEMORY = Bar("event logs in 600 MB", 600)
SMALL_FILES = Bar("500 files of 3 kB a second", 500)
LARGE_FILE = Bar("10 GB in 1 GB, host and guest together", 1024)
LARGE_FILE_QUICK = Bar(LARGE_FILE.name, 512)
"""For inputs of 200 MB: what a run that kept its file in memory, as text and as columns, would exceed."""
JOB_CYCLE = Bar("1,500 claims to records a second", 1_500)
HELP = Bar("--help in 200 ms", 200)
FIRST_LINE = Bar("first line of run in 500 ms", 500)
CRASHES = Bar("every failpoint, every kind of end", 1, of_ratio=True)
CANCEL = Bar("a deaf parser dead and fenced in 2 s", 2_000)

DESIGN: Mapping[str, Sequence[Bar]] = {
    "inventory": (FIRST_LISTING, LISTING_AGAIN, LISTING_MEMORY),
    "no-op re-run": (NOTHING_TO_DO,),
    "CSV to Parquet": (IN_PLACE, FIRST_CONTACT, BESIDE_DLT),
    "EVTX to Parquet": (EVTX_SCRIPT, EVTX_PLASO, EVTX_MEMORY),
    "10,000 files of 3 kB": (SMALL_FILES,),
    "one 10 GB file": (LARGE_FILE,),
    "job cycle": (JOB_CYCLE,),
    "CLI": (HELP, FIRST_LINE),
    "crash": (CRASHES,),
    "cancel": (CANCEL,),
}
"""Line by line; no line of the table of benchmarks may be missing for any of them."""

JSON_MEMORY = Bar("JSON Lines in 1 GB", 1024)
TWO_WORKERS = Bar("two workers as fast as 1.6", 1.6, of_ratio=True)
STATUS = Bar("status as a client in 200 ms", 200)
