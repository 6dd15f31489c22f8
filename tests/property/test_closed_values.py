"""Whatever the schema, the classes and the damage: a value of a closed column is in no byte of a home."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from planted import places_of
from product import ProductHere

PARSER = """
import json
import pyarrow as pa
from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows, Verdict

MANIFEST = PluginMetadata(
    pattern="*.people",
    outputs={{"people": [{closed}], "beside": [Column("seen", "int64")]}},
)

def parse(path):
    lines = path.read_bytes().splitlines()
    print(lines)
    for at, line in enumerate(lines):
        try:
            row = json.loads(line)
        except ValueError as exc:
            yield Verdict(f"line {{at}}", str(exc) + repr(line))
            yield Rejected("people", "cf.people.odd", f"{{exc}} {{line!r}}", at, at + 1, locator=str(line), raw=line)
            yield Rejected("beside", "cf.people.odd", f"{{exc}} {{line!r}}", at, at + 1, locator=str(line), raw=line)
            continue
        if row.get("boom"):
            raise ValueError(line)
        yield Rows("people", pa.table({{name: [text] for name, text in row.items()}}))
        yield Rows("beside", pa.table({{"seen": ["soon"], "whole": [line.decode()]}}))
        if at % 2:
            yield Rows("strangers", pa.table({{"whole": [line.decode()]}}))
"""
TREATMENTS = ("drop", "null", "fixed", "partial", "pseudonym", None)
ARGUMENTS = {"fixed": "somewhere", "partial": "1-1"}
COLUMN = st.tuples(
    st.sampled_from(["string", "int64", "float64", "date", "boolean"]),
    st.sampled_from(["personal", "secret", "internal"]),
    st.sampled_from(TREATMENTS),
    st.booleans(),
).filter(lambda column: column[1] != "internal" or column[2] is not None)
DAMAGE = st.sampled_from(["none", "missing", "new", "cut", "bytes", "shifted", "type", "null"])


def value(type_: str, number: int, damage: str) -> str:
    """A value that stands nowhere else, mostly one of the type."""
    if damage == "type":
        return f"Zy0n-{number}-q"
    return {
        "string": f"Zy0n-{number}-é",
        "int64": f"77{number}",
        "float64": f"77{number}.25",
        "date": f"Zy0n-{number}-d",
        "boolean": f"Zy0n-{number}-b",
    }[type_]


def declared(at: int, column: tuple[str, str, str | None, bool]) -> str:
    type_, said, treatment, nullable = column
    words = [repr(f"c{at}"), repr(type_), f"sensitivity={said!r}", f"nullable={nullable or treatment == 'null'}"]
    if treatment is not None:
        words.append(f"treatment={treatment!r}")
    if treatment in ARGUMENTS:
        words.append(f"treatment_argument={ARGUMENTS[treatment]!r}")
    return f"Column({', '.join(words)})"


@pytest.mark.slow
@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    columns=st.lists(COLUMN, min_size=1, max_size=4),
    rows=st.lists(st.tuples(DAMAGE, st.booleans()), min_size=1, max_size=6),
    is_boom=st.booleans(),
)
def test_no_closed_value_is_in_any_byte_of_a_home(
    tmp_path_factory: pytest.TempPathFactory,
    columns: list[tuple[str, str, str | None, bool]],
    rows: list[tuple[str, bool]],
    is_boom: bool,
) -> None:
    folder: Path = tmp_path_factory.mktemp("closed")
    product, parser, data = ProductHere(folder / "home"), folder / "people.py", folder / "in"
    data.mkdir()
    parser.write_text(PARSER.format(closed=", ".join(declared(at, column) for at, column in enumerate(columns))))
    kept_in_table, nowhere, lines, number = [], [], [], 10_417_000_000
    for damage, is_also_new in rows:
        row = {}
        for at, (type_, said, treatment, _) in enumerate(columns):
            number += 7_919
            text = value(type_, number, damage)
            is_kept = said == "personal" and treatment is None
            is_anywhere = is_kept or (damage == "shifted" and len(columns) > 1)
            (kept_in_table if is_anywhere else nowhere).append(text)
            row[f"c{at}"] = text
        if damage == "missing":
            row.popitem()
        if damage == "null":
            row["c0"] = None
        if damage == "shifted" and len(row) > 1:
            names = list(row)
            row = dict(zip([*names[1:], names[0]], row.values(), strict=True))
        if is_also_new or damage == "new":
            number += 7_919
            nowhere.append(f"Zy0n-{number}-new")
            row["unknown"] = nowhere[-1]
        line = json.dumps(row, ensure_ascii=False).encode()
        lines.append({"cut": line[:-2], "bytes": line[:-2] + b"\xff\xfe"}.get(damage, line))
    (data / "a.people").write_bytes(b"\n".join(lines) + b"\n")
    if is_boom:
        (data / "b.people").write_bytes(json.dumps({"boom": nowhere[-1] if nowhere else "x"}).encode() + b"\n")
    ran = product("run", str(data), "--parser", str(parser), expect=(0, 1, 3))
    groups = product("quarantine", "--json")
    said = [ran.out, ran.err, groups.out, product("jobs", "--json").out, product("files", "--json").out]
    said += [product("quarantine", "show", each["group"], "--json").out for each in groups.json["groups"]]
    assert places_of(nowhere, [product.home], said) == [], parser.read_text()
    elsewhere = [each for each in product.home.iterdir() if each.name != "outputs"]
    assert places_of(kept_in_table, elsewhere, said) == []
