import csv
import importlib.util
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.sdk import Context, PermanentError, Rows
from delimited_support import FOLDER, Outcome, read_delimited

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data" / "logs"


def read(tmp_path: Path, data: bytes | str, **options: Any) -> Outcome:
    path = tmp_path / "input.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_delimited(path, **options)


def numbered(count: int) -> list[str]:
    return [f"{i},v{i},{i}.5,x" for i in range(count)]


def test_parser_is_loaded_from_its_folder_like_any_other(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("loaded_parser", FOLDER / "parser.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    rows = [item for item in module.parse(path, Context("hash", 1)) if isinstance(item, Rows)]
    assert rows[0].data.to_pydict() == {"a": ["1"], "b": ["2"]}
    assert module.MANIFEST.tables == "file"
    assert module.MANIFEST.content == ["delimited"]


def test_an_unquoted_empty_field_is_null_and_a_quoted_one_is_text(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b,c\n1,,""\n2,x,""\n').rows == [["1", None, ""], ["2", "x", ""]]


def test_cells_are_not_trimmed(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n 1 ,x  \n2, y\n").rows == [[" 1 ", "x  "], ["2", " y"]]


def test_changed_names_keep_their_original_header(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,id,,_CF_row\n1,2,3,4\n5,6,7,8\n")
    spec = importlib.util.spec_from_file_location("loaded_parser", FOLDER / "parser.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    schema = next(i for i in module.parse(path, Context("", 1)) if isinstance(i, Rows)).data.schema
    assert schema.names == ["id", "id_2", "column_3", "x_CF_row"]
    originals = [(field.metadata or {}).get(b"cf.original") for field in schema]
    assert originals == [None, b"id", b"", b"_CF_row"]


def test_a_file_without_header_says_that_its_names_are_made_up(tmp_path: Path) -> None:
    table = read(tmp_path, "1,2\n3,4\n5,6\n").tables[""]
    assert table.headerless
    assert table.names == ["column_1", "column_2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_places_are_byte_offsets_into_the_file_itself(tmp_path: Path, encoding: str, end: str) -> None:
    lines = ["näme,wört", *(f"{i}é,ü{'ß' * (i % 7)}" for i in range(500)), "rejected,because,uneven", "end,é"]
    data = end.join(lines).encode(encoding) + end.encode(encoding.replace("-sig", ""))[-(len(end) * _unit(encoding)) :]
    outcome = read(tmp_path, data)
    assert len(outcome.rows) == 501
    codec = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    for row, (_, start, stop) in zip(outcome.rows, outcome.tables[""].places, strict=True):
        assert data[start:stop].decode(codec) == ",".join(map(str, row)) + end
    assert outcome.rejected[0].raw == ("rejected,because,uneven" + end).encode(codec)
    assert [row for row, _, _ in outcome.tables[""].places] == [*range(1, 501), 502]
    assert outcome.rejected[0].source_row == 501


def _unit(encoding: str) -> int:
    return {"utf-16": 2, "utf-16-be": 2, "utf-32": 4}.get(encoding, 1)


@pytest.mark.parametrize(("total", "gap"), [(1_000, 300), (5_000, 4_300)])
@pytest.mark.parametrize("second", ['"', ""])
def test_a_stray_quote_costs_only_its_own_line(tmp_path: Path, total: int, gap: int, second: str) -> None:
    lines = numbered(total)
    lines[300] = '300,"v300,300.5,x'
    if 300 + gap < total:
        lines[300 + gap] = lines[300 + gap].replace(",v", f",{second}v")
    data = "\n".join(["a,b,c,d", *lines]) + "\n"
    outcome = read(tmp_path, data)
    damaged = 1 + (second == '"' and 300 + gap < total)
    assert len(outcome.rows) == total - damaged
    assert {entry.code for entry in outcome.rejected} == {"cf.csv.quote"}
    assert len(outcome.rejected) == damaged
    start = data.index("300,")
    start = data.index('300,"v300')
    assert (outcome.rejected[0].start, outcome.rejected[0].end) == (start, data.index("301,v301"))


def test_a_quote_that_never_closes_is_damage_only_where_lines_read_on(tmp_path: Path) -> None:
    outcome = read(tmp_path, "\n".join(["a,b,c,d", *numbered(50), '50,"v50,50.5,x']) + "\n")
    assert len(outcome.rows) == 50
    assert [entry.code for entry in outcome.rejected] == ["cf.csv.quote"]


def test_resync_can_be_turned_off(tmp_path: Path) -> None:
    lines = numbered(100)
    lines[10] = '10,"v10,10.5,x'
    lines[90] = '90,v90",90.5,x'
    data = "\n".join(["a,b,c,d", *lines]) + "\n"
    assert len(read(tmp_path, data).rows) == 99
    assert len(read(tmp_path, data, resync=False).rows) < 30


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_the_csv_module_writes_is_read_back(tmp_path: Path, delimiter: str, quoting: int, end: str) -> None:
    rows = [[str(i), f'say "{i}"', f"a{delimiter}b{end}c", "", "é;,|"] for i in range(700)]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([["id", "said", "two", "none", "marks"], *rows])
    outcome = read(tmp_path, out.getvalue())
    assert [[cell or "" for cell in row] for row in outcome.rows] == rows
    assert outcome.rejected == []


def test_options_override_every_verdict(tmp_path: Path) -> None:
    data = "skip me\na;b,c\n'1;x';2,3\n".encode("cp1250")
    outcome = read(tmp_path, data, encoding="cp1250", delimiter=";", quote="'", skip=1, header=0, newline="lf")
    assert outcome.rows == [["a", "b,c"], ["1;x", "2,3"]]
    assert outcome.verdict("encoding").value == "cp1250"
    assert outcome.verdict("preamble").value == "skip me"


def test_two_header_rows_can_be_asked_for(tmp_path: Path) -> None:
    outcome = read(tmp_path, "a,b\nx,y\n1,2\n", header=2)
    assert outcome.names == ["a x", "b y"]
    assert outcome.rows == [["1", "2"]]


def test_one_column_can_be_asked_for(tmp_path: Path) -> None:
    outcome = read(tmp_path, "word\none, two\nthree\n\nfour\n", delimiter="none")
    assert [row[0] for row in outcome.rows] == ["one, two", "three", "four"]


@pytest.mark.parametrize("vectorised", [True, False])
def test_words_for_null_are_null_only_as_whole_unquoted_fields(tmp_path: Path, vectorised: bool) -> None:
    data = 'id,name\n1,NULL\n2,"NULL"\n3,NULLS\n4,\n5,\\N\nNULL,""\n' + "6,x\n" * 20
    (tmp_path / "x.csv").write_text(data)
    outcome = read_delimited(tmp_path / "x.csv", vectorised=vectorised, null="NULL,\\N", escape="none")
    assert [name for _, name in outcome.rows[:6]] == [None, "NULL", "NULLS", None, None, ""]
    assert outcome.rows[5][0] is None
    assert outcome.rejected == []


def test_a_column_may_be_called_like_a_word_for_null(tmp_path: Path) -> None:
    outcome = read(tmp_path, "id,NA\n1,2\n2,NA\n3,4\n", null="NA")
    assert outcome.names == ["id", "NA"]
    assert outcome.rows == [["1", "2"], ["2", None], ["3", "4"]]


@pytest.mark.parametrize(
    "options",
    [
        {"encoding": "klingon"},
        {"encoding": "shift_jis"},
        {"quote": "ab"},
        {"quote": "“"},
        {"escape": "\u2060"},
        {"header": "x"},
        {"newline": "vt"},
    ],
)
def test_an_option_that_makes_no_sense_is_a_permanent_error(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(PermanentError):
        read(tmp_path, "a,b\n1,2\n", **options)


@pytest.mark.parametrize("data", [b"", b"\n\n\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe\n\x00"])
def test_a_file_without_text_has_no_tables(tmp_path: Path, data: bytes) -> None:
    outcome = read(tmp_path, data)
    assert outcome.tables == {}
    assert outcome.rejected == []
    assert outcome.verdict("tables").value == "0"


def test_every_verdict_names_its_runner_up(tmp_path: Path) -> None:
    outcome = read(tmp_path, 'a;b\n1;"x, y"\n2;"z, w"\n3;"u, v"\n')
    delimiter, quote = outcome.verdict("delimiter"), outcome.verdict("quote")
    assert (delimiter.value, delimiter.runner_up is not None) == (";", True)
    assert 0.5 <= delimiter.confidence <= 1
    assert (quote.value, quote.runner_up) == ('"', "none")
    assert outcome.verdict("newline").value == "lf"
    assert outcome.verdict("bytes").value == "header 4, rows 27"


def test_comments_are_reported_and_not_rows(tmp_path: Path) -> None:
    outcome = read(tmp_path, "a,b,c\n1,2,3\n# halfway\n4,5,6\n")
    assert len(outcome.rows) == 2
    assert outcome.rejected == []
    assert outcome.verdict("comment").value == "# halfway"


def test_a_record_too_long_to_hold_is_passed_over_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import delimited_damage
    import delimited_reader

    for module in (delimited_damage, delimited_reader):
        monkeypatch.setattr(module, "MAX_RECORD", 1 << 20)
    path = tmp_path / "x.csv"
    with path.open("wb") as file:
        file.write(b"a,b,c\n" + b"1,2,3\n" * 100_000)
        file.write(b'4,"' + b"y" * (24 << 20) + b"\n5,6,7\n")
    tracemalloc.start()
    try:
        outcome = read_delimited(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [entry.code for entry in outcome.rejected] == ["cf.csv.oversize"]
    assert len(outcome.rows) == 100_001
    assert len(outcome.rejected[0].raw or b"") <= 64 << 10
    assert peak < 64 << 20


def test_one_giant_line_is_one_rejection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import delimited_damage
    import delimited_file
    import delimited_reader

    for module in (delimited_damage, delimited_file, delimited_reader):
        monkeypatch.setattr(module, "MAX_RECORD", 1 << 20)
    outcome = read(tmp_path, b"x" * (5 << 20))
    assert [entry.code for entry in outcome.rejected] == ["cf.csv.oversize"]
    assert (outcome.rejected[0].start, outcome.rejected[0].end) == (0, 5 << 20)


def test_batches_are_of_a_good_size(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    lines = numbered(60_000)
    for i in range(0, 60_000, 700):
        lines[i] = '"' + lines[i]
    path.write_text("\n".join(["a,b,c,d", *lines]) + "\n")
    from delimited_file import read_file

    sizes = [item.data.num_rows for item in read_file(path, {}) if isinstance(item, Rows)]
    assert max(sizes) <= 16_384
    assert min(sizes[:-1]) >= 4_096


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample files are not here")
@pytest.mark.parametrize(
    ("name", "columns", "rows"), [("networkminer.pcap.FileInfos.csv", 13, 4), ("password.csv", 3, 4)]
)
def test_sample_files_are_read_whole(name: str, columns: int, rows: int) -> None:
    outcome = read_delimited(SAMPLES / name)
    assert (len(outcome.names), len(outcome.rows), outcome.rejected) == (columns, rows, [])


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample files are not here")
def test_whatever_stands_in_a_folder_no_byte_is_lost() -> None:
    for path in sorted(p for p in SAMPLES.rglob("*") if p.is_file()):
        outcome = read_delimited(path)
        position = 0
        for start, end, _ in sorted(outcome.spans):
            assert start == position, path.name
            position = end
        assert position == path.stat().st_size, path.name


def test_a_line_of_delimiters_does_not_become_millions_of_columns(tmp_path: Path) -> None:
    outcome = read(tmp_path, b"a,b,c\n" + b"1,2,3\n" * 50 + b"," * 200_000 + b"\n4,5,6\n")
    assert len(outcome.rows) == 51
    assert [entry.code for entry in outcome.rejected] == ["cf.csv.arity"]


@pytest.mark.parametrize("count", [4_097, 25_000])
def test_a_table_of_more_columns_than_there_may_be_is_refused(tmp_path: Path, count: int) -> None:
    for line in (b"," * (count - 1) + b"\n", b",".join([b"1"] * count) + b"\r\n"):
        with pytest.raises(PermanentError, match="4,096 columns"):
            read(tmp_path, line * 3)


def test_a_header_longer_than_names_may_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="header is 300,001 bytes"):
        read(tmp_path, b"a," + b"h" * 300_000 + b"\n1,2\n3,4\n")


def test_a_first_line_too_long_to_hold_says_nothing_about_the_table_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import delimited_damage
    import delimited_file
    import delimited_reader

    for module in (delimited_file, delimited_reader, delimited_damage):
        monkeypatch.setattr(module, "MAX_RECORD", 1 << 20)
    monkeypatch.setattr(delimited_file, "MOST_SAMPLE", 1 << 19)
    line = b"a," + b"h" * (3 << 20) + b"\n"
    outcome = read(tmp_path, line + b"id;name\n" + b"1;x\n2;y\n" * 9)
    assert [(each.code, each.start, each.end) for each in outcome.rejected] == [("cf.csv.oversize", 0, len(line))]
    assert outcome.names == ["id", "name"]
    assert len(outcome.rows) == 18
    spans = sorted(outcome.spans)
    assert [spans[0][:2], spans[-1][1]] == [(0, len(line)), len(line) + 8 + 72]
