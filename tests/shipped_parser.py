"""Loads a shipped parser the way a guest does: from its folder, which comes first on the module path."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

import casparian_flow
from casparian_flow.sdk import Rejected, Rows, Verdict

PARSERS = Path(casparian_flow.__file__).parent / "parsers"
SHARED = Path(__file__).parents[2] / "shared" / "data"


def load_shipped_parser(name: str) -> ModuleType:
    """The module of the parser in `parsers/<name>`."""
    folder = PARSERS / name
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("shipped_" + name.replace("/", "_"), folder / "parser.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Parsed:
    """Everything a parser yielded for one file."""

    batches: list[Rows] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)

    @property
    def codes(self) -> Counter[str]:
        return Counter(entry.code for entry in self.rejected)

    def outputs(self) -> list[str]:
        return list(dict.fromkeys(rows.output for rows in self.batches))

    def table(self, output: str) -> pa.Table:
        return pa.Table.from_batches([rows.data for rows in self.batches if rows.output == output])

    def rows(self, output: str) -> list[dict[str, Any]]:
        return [row for rows in self.batches if rows.output == output for row in rows.data.to_pylist()]

    def places(self, output: str, name: str) -> list[int]:
        """The `source_row`, `start` or `end` of every row."""
        return [
            int(at)
            for rows in self.batches
            if rows.output == output
            for at in pa.array(getattr(rows, name)).to_pylist()
        ]

    def records(self) -> list[dict[str, Any]]:
        """Rows and rejections as a case's `expected.jsonl` has them: ordered by output and place, without nulls."""
        found = [
            {"_output": rows.output, "_row": place}
            | {name: _plain(value) for name, value in row.items() if value is not None}
            for rows in self.batches
            for place, row in zip(_places(rows), rows.data.to_pylist(), strict=True)
        ]
        found += [
            {"_rejected": one.code, "_output": one.output, "_start": one.start, "_end": one.end}
            for one in self.rejected
        ]
        return sorted(
            found, key=lambda one: (one["_output"], "_rejected" in one, one.get("_row") or 0, one.get("_start") or 0)
        )

    def rejected_as(self, code: str) -> list[Rejected]:
        return [entry for entry in self.rejected if entry.code == code]


def _places(rows: Rows) -> list[int | None]:
    return (
        [None] * rows.data.num_rows
        if rows.source_row is None
        else [int(at) for at in pa.array(rows.source_row).to_pylist()]
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def run_parser(module: ModuleType, path: Path) -> Parsed:
    parsed = Parsed()
    for item in module.parse(path):
        if isinstance(item, Rows):
            parsed.batches.append(item)
        elif isinstance(item, Rejected):
            parsed.rejected.append(item)
        else:
            assert isinstance(item, Verdict)
            parsed.verdicts[item.name] = item.value
    return parsed
