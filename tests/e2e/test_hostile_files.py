"""Odd and damaged files through `casparian_flow.read`: values, types, order, and the bytes of every rejected row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import casparian_flow as cf
from casparian_flow.core.lineage import SOURCE_ROW
from hostile_files import HOSTILE, Hostile

pytestmark = pytest.mark.usefixtures("warm_guests")

ONE_IN_SIX = [0, *(pytest.param(step, marks=pytest.mark.slow) for step in range(1, 6))]


@pytest.mark.parametrize("step", ONE_IN_SIX)
def test_hostile_files_are_read_as_a_careful_person_would(step: int, tmp_path: Path) -> None:
    chosen = HOSTILE[step::6]

    def read(at: int) -> list[str]:
        path = tmp_path / str(at) / f"data.{chosen[at].ending}"
        path.parent.mkdir()
        path.write_bytes(chosen[at].data)
        return [f"{chosen[at].name}: {problem}" for problem in problems(chosen[at], cf.read(path, lineage=True))]

    with ThreadPoolExecutor(2) as pool:
        assert [problem for found in pool.map(read, range(len(chosen))) for problem in found] == []


def problems(file: Hostile, result: cf.ReadResult) -> list[str]:
    """What of one file is not as it should be."""
    found = [] if result.emitted == result.accepted + result.quarantined else ["rows are lost"]
    wanted = {f"data{ending}": table for ending, table in file.tables.items()}
    if result.tables.keys() != wanted.keys():
        return [f"tables are {list(result.tables)}, not {list(wanted)}"]
    for name, (columns, rows) in wanted.items():
        table = result.tables[name]
        places = table[SOURCE_ROW].to_pylist()
        found += [] if places == sorted(set(places)) else [f"{name} is not in source order"]
        cells = table.drop_columns([SOURCE_ROW])
        named = [column.replace(" ", "_") for column in cells.column_names]
        found += [] if named == columns else [f"columns are {cells.column_names}, not {columns}"]
        found += [] if len(cells) == len(rows) else [f"{len(cells)} rows, not {len(rows)}"]
        for number, (row, true) in enumerate(zip(cells.to_pylist(), rows, strict=False), start=1):
            pairs = zip(row.items(), true, strict=False)
            found += [
                f"row {number}, {key}: {it!r:.80}, not {was!r:.80}" for (key, it), was in pairs if differ(it, was)
            ]
    rejected = [(row.code, file.data[row.start or 0 : row.end]) for row in result.quarantine]
    found += [] if rejected == file.rejected else [f"rejected are {rejected!r:.300}"]
    return found[:10]


def differ(found: Any, true: Any) -> bool:
    """Whether values or their kinds are not the same; a moment of pandas is a moment."""
    if hasattr(found, "to_pydatetime"):
        found = found.to_pydatetime()
    if hasattr(true, "tzinfo") and hasattr(found, "tzinfo") and (true.tzinfo is None) != (found.tzinfo is None):
        return True
    return type(found) is not type(true) or found != true


@pytest.mark.parametrize("encoding", ["cp1251", "shift-jis"])
def test_the_verdict_about_an_encoding_that_cannot_be_told_is_in_doubt(encoding: str, tmp_path: Path) -> None:
    texts = {"shift-jis": "名前,都市\n太郎,東京\n", "cp1251": "имя,город\nИван,Москва\n"}
    path = tmp_path / "data.csv"
    path.write_bytes(texts[encoding].encode(encoding))
    verdict = next(verdict for verdict in cf.read(path).verdicts if verdict.name == "encoding")
    assert verdict.confidence <= 0.2
