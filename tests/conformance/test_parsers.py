"""Every shipped parser keeps the same promises, whatever it reads."""

from __future__ import annotations

import ast
import random
import sys
from pathlib import Path

import pytest

import casparian_flow.parsers
from casparian_flow.core.types import parse_type
from casparian_flow.sdk.errors import PermanentError
from casparian_flow.sdk.testing import (
    Collected,
    case_input,
    case_options,
    case_records,
    collect,
    comparable,
    manifest_call,
)

ROOT = Path(next(iter(casparian_flow.parsers.__path__)))
PARSERS = sorted(file.parent for file in ROOT.rglob("parser.py"))
CASES = [(parser, case) for parser in PARSERS for case in sorted((parser / "cases").glob("*/"))]


def _name(value: Path) -> str:
    return value.relative_to(ROOT).as_posix()


each_parser = pytest.mark.parametrize("parser", PARSERS, ids=_name)
each_case = pytest.mark.parametrize(("parser", "case"), CASES, ids=[_name(case) for _, case in CASES])
FIRST = set(dict(reversed(CASES)).values())
"""One case of each parser: where each takes long, the fast suite damages these alone."""
each_damaged_case = pytest.mark.parametrize(
    ("parser", "case"),
    [pytest.param(*each, marks=() if each[1] in FIRST else pytest.mark.slow) for each in CASES],
    ids=[_name(case) for _, case in CASES],
)


def _assert_sound(collected: Collected, size: int) -> None:
    """Names are free, places lie inside the file, source rows are unique and ranges do not overlap."""
    spans: dict[str, list[tuple[int, int]]] = {}
    numbers: dict[str, list[int]] = {}
    for output, many in collected.rows.items():
        for rows in many:
            assert not [name for name in rows.data.column_names if name.casefold().startswith("_cf_")]
            assert len(set(rows.data.column_names)) == len(rows.data.column_names)
            rows.data.validate(full=True)
            for places in (rows.source_row, rows.start, rows.end):
                assert places is None or len(places) == rows.data.num_rows
            numbers.setdefault(output, []).extend(map(int, rows.source_row if rows.source_row is not None else ()))
            if rows.start is not None:
                spans.setdefault(output, []).extend(zip(map(int, rows.start), map(int, rows.end), strict=True))
    for one in collected.rejected:
        assert one.code.startswith("cf.")
        assert one.message
        assert one.locator is not None or one.start is not None
        if one.source_row is not None:
            numbers.setdefault(one.output, []).append(one.source_row)
        if one.start is not None and one.end is not None:
            spans.setdefault(one.output, []).append((one.start, one.end))
    for found in numbers.values():
        assert len(set(found)) == len(found)
    for ranges in spans.values():
        before = 0
        for start, end in sorted(ranges):
            assert before <= start <= end <= size
            before = end


def _run(parser: Path, file: Path, data: bytes) -> Collected | None:
    """What the parser makes of these bytes; None where it refuses the file for good."""
    file.write_bytes(data)
    try:
        collected = collect(parser, file)
    except PermanentError as refusal:
        assert str(refusal)
        return None
    _assert_sound(collected, len(data))
    return collected


def _count(collected: Collected | None) -> int:
    return len(collected.records()) if collected else 0


def test_parsers_are_found() -> None:
    assert PARSERS


@each_parser
def test_a_parser_has_a_readme_a_sentence_and_cases(parser: Path) -> None:
    assert (parser / "README.md").read_text(encoding="utf-8").startswith("# ")
    docstring = ast.get_docstring(ast.parse((parser / "parser.py").read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))
    assert [case for owner, case in CASES if owner == parser]


@each_parser
def test_a_manifest_is_a_literal_call(parser: Path) -> None:
    call = manifest_call(parser)
    assert call is not None
    assert not call.args
    for keyword in call.keywords:
        if keyword.arg != "outputs":
            ast.literal_eval(keyword.value)
    names = {keyword.arg for keyword in call.keywords}
    assert {"content", "version"} <= names


@each_parser
def test_declared_columns_are_typed_and_free(parser: Path) -> None:
    call = manifest_call(parser)
    assert call is not None
    columns = [
        node
        for keyword in call.keywords
        if keyword.arg == "outputs"
        for node in ast.walk(keyword.value)
        if isinstance(node, ast.Call)
    ]
    for column in columns:
        words = [ast.literal_eval(argument) for argument in column.args]
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in column.keywords}
        assert not (words[0] if words else named["name"]).casefold().startswith("_cf_")
        parse_type(words[1] if len(words) > 1 else named.get("type", "string"))


@each_parser
def test_a_parser_imports_only_what_a_guest_has(parser: Path) -> None:
    call = manifest_call(parser)
    assert call is not None
    requires = next((ast.literal_eval(word.value) for word in call.keywords if word.arg == "requires"), [])
    own = {file.stem for file in parser.glob("*.py")}
    for file in parser.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                assert module
                if module.startswith("casparian_flow"):
                    assert module.split(".")[1] == "sdk"
                    continue
                root = module.split(".")[0]
                assert root in own or root in {"pyarrow", *requires} or _is_standard(root), f"{file.name}: {module}"


def _is_standard(module: str) -> bool:
    return module in sys.stdlib_module_names


@each_case
def test_a_case_gives_the_expected_rows(parser: Path, case: Path) -> None:
    collected = collect(parser, case_input(case), case_options(case))
    _assert_sound(collected, case_input(case).stat().st_size)
    assert comparable(collected.records()) == comparable(case_records(case))


@each_case
def test_a_case_gives_the_same_rows_twice(parser: Path, case: Path) -> None:
    first, second = (collect(parser, case_input(case), case_options(case)) for _ in range(2))
    assert first.records() == second.records()
    assert first.verdicts == second.verdicts


@each_damaged_case
@pytest.mark.parametrize("cuts", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_a_truncated_case_is_read_up_to_the_damage(parser: Path, case: Path, cuts: int, tmp_path: Path) -> None:
    data = case_input(case).read_bytes()
    for length in sorted({*range(0, len(data), max(1, len(data) // cuts)), max(0, len(data) - 1)}):
        _run(parser, tmp_path / case_input(case).name, data[:length])


@each_damaged_case
@pytest.mark.parametrize("seed", [7, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (8, 9))])
def test_a_case_with_flipped_bytes_is_survived(parser: Path, case: Path, seed: int, tmp_path: Path) -> None:
    data = case_input(case).read_bytes()
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(3 if damaged else 0):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    _run(parser, tmp_path / case_input(case).name, bytes(damaged))


@each_parser
def test_an_empty_file_has_no_rows(parser: Path, tmp_path: Path) -> None:
    assert _count(_run(parser, tmp_path / "empty", b"")) == 0


@each_parser
def test_random_bytes_are_survived(parser: Path, tmp_path: Path) -> None:
    chance = random.Random(11)
    for size in (1, 2, 100, 5000, 70_000):
        _run(parser, tmp_path / "noise", chance.randbytes(size))


@each_parser
def test_nothing_but_line_ends_nul_bytes_or_marks_is_survived(parser: Path, tmp_path: Path) -> None:
    for data in (
        b"\n",
        b"\r\n\r\n",
        b"\r",
        b"\0" * 512,
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff\0",
        b"\xff\xfe\n\0\n",
    ):
        _run(parser, tmp_path / "odd", data)
