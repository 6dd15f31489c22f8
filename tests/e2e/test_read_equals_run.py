"""`casparian_flow.read` gives of a file exactly what `casparian run` lands of it in an empty home: cell by cell."""

from __future__ import annotations

import itertools
import json
import shutil
import string
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import casparian_flow as cf
from casparian_flow.core.errors import NoParser
from casparian_flow.core.lineage import LINEAGE_COLUMNS, RESCUED, SOURCE_ROW
from casparian_flow.core.outputs import Role
from casparian_flow.publish.discover import shipped_parsers
from delimited_corpus import corpus
from product import Product
from typed_rows import differences
from unseen_delimited import KINDS, make_all

pytestmark = pytest.mark.usefixtures("warm_guests")

Tables = dict[tuple[Role, str], pa.Table]


def landed(product: Product) -> Tables:
    """What a home holds, without what no file can know."""
    found = {}
    for role in Role:
        for name in product.tables(role):
            table = product.table(name, role).sort_by(SOURCE_ROW) if role is Role.QUARANTINE else product.table(name)
            dropped = [column for column in LINEAGE_COLUMNS if column != SOURCE_ROW]
            if RESCUED in table.column_names and table[RESCUED].null_count == table.num_rows:
                dropped.append(RESCUED)
            found[role, name] = table.drop_columns(dropped)
    return found


def read(path: Path, **options: Any) -> tuple[cf.ReadResult, Tables]:
    """The same of one file that is only read."""
    result = cf.read(path, lineage=True, **options)
    assert result.emitted == result.accepted + result.quarantined
    assert result.accepted == sum(table.num_rows for table in result.tables.values())
    found = {(Role.ACCEPTED, name): table for name, table in result.tables.items() if table.num_rows}
    rejected = result.quarantine.to_arrow()
    for name in rejected["table"].unique().to_pylist():
        of_table = rejected.filter(pa.compute.equal(rejected["table"], name))
        found[Role.QUARANTINE, name] = of_table.drop_columns(["table"])
    return result, found


def unequal(read: Tables, run: Tables) -> list[str]:
    """How they differ: tables, names of columns, types, cells."""
    if read.keys() != run.keys():
        return [f"read gives {sorted(read)}, run {sorted(run)}"]
    found = []
    for key, table in read.items():
        other = run[key]
        if shape(table) != shape(other):
            found.append(f"{key}: {shape(table)} is not {shape(other)}")
        elif not table.equals(other.cast(table.schema)):
            pairs = zip(table.to_pylist(), other.to_pylist(), strict=False)
            found += [f"{key}: {mine} is not {theirs}" for mine, theirs in pairs if repr(mine) != repr(theirs)][:3]
            found += [f"{key}: {table.num_rows} is not {other.num_rows}"] if len(table) != len(other) else []
    return found


def shape(table: pa.Table) -> list[tuple[str, str]]:
    """Columns and types; Parquet calls the items of a list elements."""
    return [(field.name, str(field.type).replace("list<element:", "list<item:")) for field in table.schema]


def letters() -> Iterable[str]:
    """Names that no rule for table names changes."""
    return ("x" + "".join(each) + "x" for each in itertools.product(string.ascii_lowercase, repeat=3))


def compare_all(folder: Path, contents: dict[str, bytes]) -> list[str]:
    """Run one folder with all of these files, read each of them, and compare. Two threads read at once."""
    files = folder / "files"
    files.mkdir()
    paths = {name: files / f"{letter}.csv" for name, letter in zip(contents, letters(), strict=False)}
    for name, path in paths.items():
        path.write_bytes(contents[name])
    product = Product(folder / "home")
    product.run(str(files))
    run = landed(product)

    def compare(item: tuple[str, Path]) -> list[str]:
        name, path = item
        try:
            found = read(path)[1]
        except cf.CasparianError as error:
            found = {}
            assert error.code == "no-parser"
        mine = {key: table for key, table in run.items() if key[1].partition("__")[0] == path.stem}
        return [f"{name}: {problem}" for problem in unequal(found, mine)]

    with ThreadPoolExecutor(2) as pool:
        return [problem for problems in pool.map(compare, paths.items()) for problem in problems]


@pytest.mark.slow
@pytest.mark.parametrize("step", range(5))
def test_files_never_seen_before(step: int, tmp_path: Path) -> None:
    made = dict(list(zip(KINDS, make_all(5), strict=True))[step::5])
    assert compare_all(tmp_path, {name: each.data for name, each in made.items()}) == []


@pytest.mark.slow
@pytest.mark.parametrize("step", range(4))
def test_the_corpus_of_polluted_files(step: int, tmp_path: Path) -> None:
    different = {each.data: each.name for each in corpus()}  # a run reads the same bytes once
    chosen = list(different.items())[step::8]  # half of it: what is left out is read by `tests/unit/parsers` alone
    assert compare_all(tmp_path, {name: data for data, name in chosen}) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [9])
def test_files_say_what_they_are_meant_to_say(seed: int, tmp_path: Path) -> None:
    problems = []
    for one in make_all(seed):
        path = tmp_path / one.file
        path.write_bytes(one.data)
        if one.names is None:
            continue
        result, _ = read(path)
        wanted = [(one.table, one.names, one.rows)]
        wanted += [(f"{one.table}__{ending}", names, rows) for ending, names, rows in one.more]
        for table, names, rows in wanted:
            problems += [f"{one.file}: {each}" for each in differences(result.tables[table], names, rows)]
        problems += [f"{one.file}: {result.quarantine}"] if result.quarantined != one.rejected else []
    assert problems == []


def in_a_fresh_home(path: Path, folder: Path, parser: str | None = None, **options: str) -> tuple[str, list[str]]:
    """Read and run one file: who read it, and how the two differ. Raises NoParser where nobody reads it."""
    result, found = read(path, parser=parser, **options)
    folder.mkdir()
    asked = {} if parser is None else {"parser": parser, "options": options}
    said = cf.open(folder / "home").run(path, **asked)
    assert said.outcome in ("completed", "quarantined")
    return result.parser.partition("@")[0], unequal(found, landed(Product(folder / "home")))


SHIPPED = {each.path: each.manifest.name for each in shipped_parsers() if each.manifest}
CASES = [
    (path, parser)
    for folder, parser in SHIPPED.items()
    for path in sorted(folder.glob("cases/*/input.*"))
    if path.suffix != ".db-wal"
]


def options_of(path: Path) -> dict[str, str]:
    file = path.with_name("options.json")
    return {name: str(value) for name, value in json.loads(file.read_text()).items()} if file.exists() else {}


@pytest.mark.slow
@pytest.mark.parametrize("step", range(5))
def test_the_cases_of_the_shipped_parsers(step: int, tmp_path: Path) -> None:
    assert {parser for _, parser in CASES} == set(SHIPPED.values())

    def compare(case: tuple[Path, str]) -> list[str]:
        path, parser = case
        return in_a_fresh_home(path, tmp_path / f"{parser} {path.parent.name}", parser, **options_of(path))[1]

    with ThreadPoolExecutor(2) as pool:
        problems = dict(zip(CASES[step::5], pool.map(compare, CASES[step::5]), strict=True))
    assert {case: found for case, found in problems.items() if found} == {}


KINDS_OF_SAMPLES = {
    "browser": {"sqlite"},
    "evtx": {"evtx"},
    "jsonl": {"jsonl"},
    "logs": {"delimited", "lines", "syslog", "w3c", "web_access"},
    "sqlite": {"sqlite"},
}


@pytest.mark.slow
@pytest.mark.parametrize("folder", KINDS_OF_SAMPLES)
def test_the_real_samples(folder: str, shared_data: Path, tmp_path: Path) -> None:
    problems = {}
    read_by = set()
    for at, path in enumerate(sorted(path for path in (shared_data / folder).rglob("*") if path.is_file())):
        copied = tmp_path / str(at) / path.name
        copied.parent.mkdir()
        shutil.copyfile(path, copied)
        try:
            parser, problems[path.name] = in_a_fresh_home(copied, tmp_path / f"{at} home")
        except NoParser:
            continue
        read_by.add(parser)
    assert {path: found for path, found in problems.items() if found} == {}
    assert read_by >= KINDS_OF_SAMPLES[folder]
