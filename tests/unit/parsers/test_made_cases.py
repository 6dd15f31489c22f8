"""The cases beside the event log and SQLite parsers hold, and are what their generator makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from made_cases import EVTX, EVTX_CASES, SQLITE, SQLITE_CASES
from shipped_parser import PARSERS, load_shipped_parser, run_parser

CASES = [(EVTX, name, "input.evtx") for name in EVTX_CASES] + [(SQLITE, name, "input.db") for name in SQLITE_CASES]


@pytest.mark.parametrize(("parser", "name", "file"), CASES)
def test_a_case_gives_the_rows_it_expects(parser: str, name: str, file: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    case = PARSERS / parser / "cases" / name
    expected = [json.loads(line) for line in (case / "expected.jsonl").read_text(encoding="utf-8").splitlines()]
    assert run_parser(load_shipped_parser(parser), case / file).records() == expected


@pytest.mark.parametrize("name", EVTX_CASES)
def test_the_logs_of_the_cases_are_made_and_nobody_elses(name: str) -> None:
    assert (PARSERS / EVTX / "cases" / name / "input.evtx").read_bytes() == EVTX_CASES[name]()
