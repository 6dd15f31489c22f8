"""A replay that reads rejected records alone: the table is what it is after all of the file was read again."""

from __future__ import annotations

import json
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.sentinel.queue import carrying
from product import ProductHere

PARSER = """
    import pyarrow as pa
    from casparian_flow.sdk import Column, PluginMetadata, Rows, Span, Verdict

    MANIFEST = PluginMetadata(
        pattern="*.pay",
        rereads="spans",
        outputs={"pay": [Column("id", "int64"), Column("cents", "int64"), Column("who", SECRET)]},
    )

    def parse(path, context):
        data = path.read_bytes()
        spans, at = [], data.index(b"\\n") + 1
        unit = data[: at - 1].decode()
        while at < len(data):
            end = data.index(b"\\n", at) + 1
            spans.append(Span(len(spans) + 1, at, end))
            at = end
        if context.spans is None:
            yield Verdict("unit", unit)
        else:
            spans, unit = context.spans, context.verdicts.get("unit", "1")
        rows = [data[start:end].decode().strip().split(",") for _, start, end in spans]
        table = pa.table({
            "id": [row[0] for row in rows], "who": [row[2] for row in rows],
            "cents": [str(int(row[1]) * int(unit)) for row in rows],
        })
        number, start, end = (pa.array(list(each), pa.int64()) for each in zip(*spans))
        yield Rows("pay", table, source_row=number, start=start, end=end)
"""


def last_receipt(product: ProductHere) -> dict[str, Any]:
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as database:
        (text,) = database.execute("SELECT receipt FROM cf_jobs ORDER BY id DESC LIMIT 1").fetchone()
    return dict(json.loads(text))


def content(table: pa.Table) -> list[dict[str, Any]]:
    kept = [name for name in table.column_names if not name.startswith("_cf_") or name == "_cf_source_row"]
    return sorted(table.select(kept).to_pylist(), key=lambda row: int(row["_cf_source_row"]))


@pytest.mark.slow
@pytest.mark.parametrize(("secret", "takes_over"), [("", True), ('sensitivity="secret"', False)])
def test_a_repaired_record_is_read_alone_unless_what_the_parser_goes_by_is_masked(
    product_here: ProductHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, takes_over: bool
) -> None:
    monkeypatch.setattr(carrying, "WORTH_BYTES", 0)
    parser, file = tmp_path / "pay.py", tmp_path / "in" / "a.pay"
    parser.write_text(textwrap.dedent(PARSER).replace("SECRET", secret))
    file.parent.mkdir()
    file.write_text("100\n" + "".join(f"{'x' if at == 7 else at},{at},p{at}\n" for at in range(1, 40)))
    product_here("run", str(file.parent), "--parser", str(parser), expect=(3,))
    (group,) = product_here("quarantine", "--json").json["groups"]
    product_here("quarantine", "repair", f"{file}:7", "--table", "pay", "--set", "id=7", "--reason", "r", expect=(0,))
    product_here("quarantine", "replay", group["group"], expect=(0,))
    replayed = content(product_here.table("pay"))
    assert (last_receipt(product_here).get("carries") is not None) is takes_over
    product_here("run", str(file.parent), "--parser", str(parser), "--force", expect=(0, 3))
    assert last_receipt(product_here).get("carries") is None
    assert replayed == content(product_here.table("pay"))
    assert replayed[6]["cents"] == 700 and len(replayed) == 39
