"""Makes the directories of the demo, one for each kind of user, the same every time."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from casparian_flow.lab.corpus import HOSTILE_NAME, make_corpus
from casparian_flow.publish.discover import SHIPPED_FOLDER

EVIL_MEMBER = "../../etc/cron.d/job"


class DemoKind(StrEnum):
    """What the files of a demo are like."""

    MIXED = "mixed"
    CSV = "csv"
    LOGS = "logs"
    DFIR = "dfir"


CASES = {
    DemoKind.LOGS: {
        "syslog.log": "logs/syslog/cases/iso/input.log",
        "iis.log": "logs/w3c/cases/iis/input.log",
    },
    DemoKind.DFIR: {
        "Windows/Security.evtx": "windows/evtx/cases/sound/input.evtx",
        "Windows/Damaged.evtx": "windows/evtx/cases/damaged/input.evtx",
    },
}
"""Files of the shipped parsers' own cases that a demo shows."""
_OF_MIXED = {
    DemoKind.CSV: (
        "orders_2026-03-01.csv",
        "orders_2026-03-02.csv",
        "prices.csv",
        "staff.csv",
        "empty.csv",
        HOSTILE_NAME,
    ),
    DemoKind.LOGS: ("auth.log", "access.log", "events.jsonl"),
    DemoKind.DFIR: ("auth.log", "stock.db", "stock.db-wal", "photo.png", "pipe", HOSTILE_NAME),
}


def make_demo_corpus(folder: Path, kind: DemoKind) -> None:
    """Write the files of a kind into the folder, which is made if it is missing."""
    make_corpus(folder)
    if kind is DemoKind.MIXED:
        return
    for entry in list(folder.iterdir()):
        if entry.name not in _OF_MIXED[kind]:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for name, case in CASES.get(kind, {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(SHIPPED_FOLDER / case, folder / name)
    _MORE.get(kind, _nothing)(folder)


def _nothing(_folder: Path) -> None:
    """Some kinds need nothing more."""


def _more_evidence(folder: Path) -> None:
    """An archive whose members would leave its folder, and a link that leads back to itself."""
    with zipfile.ZipFile(folder / "upload.zip", "w") as archive:
        for name in ("report.txt", EVIL_MEMBER):
            archive.writestr(zipfile.ZipInfo(name, (2026, 3, 2, 10, 0, 0)), "made for a demo\n")
    os.symlink("loop", folder / "loop")  # noqa: PTH211 a link that leads nowhere else


_MORE: dict[DemoKind, Callable[[Path], None]] = {DemoKind.DFIR: _more_evidence}
