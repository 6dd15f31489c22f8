"""Polluted delimited files made from a seed, each with the typed rows that a careful person would read from it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

Row = tuple[Any, ...]
NAMES = ("id", "name", "price", "day", "seen", "ok", "code", "note")
FIRST = ("Ada", "Bo", "Cleo", "Dag", "Eve", "Finn", "Gus", "Håkan", "Ines", "Jörg")
LAST = ("Adams", "O'Neil", "de Vries", "Zoë", "Kim", "Núñez", "Smith-Jones")


@dataclass(frozen=True)
class Unseen:
    """One file: its bytes, its table with columns and typed rows (None: no table), and how many records are rejected.

    `more` are further tables of the same file, by the ending of their names.
    """

    file: str
    data: bytes
    table: str
    names: tuple[str, ...] | None
    rows: tuple[Row, ...]
    rejected: int = 0
    more: tuple[tuple[str, tuple[str, ...], tuple[Row, ...]], ...] = ()


@dataclass(frozen=True)
class Maker:
    """Typed rows of one seed, and their text."""

    chance: random.Random

    def rows(self, count: int = 20) -> list[Row]:
        pick = self.chance
        start = datetime(2024, 1, 31, 23, 50)
        return [
            (
                number + 1,
                f"{pick.choice(FIRST)} {pick.choice(LAST)}",
                Decimal(pick.randint(100, 99999)) / 100,
                date(2024, 1, 13) + timedelta(days=pick.randint(0, 400)),
                start + timedelta(seconds=pick.randint(0, 10**7)),
                pick.random() < 0.5,
                f"{pick.randint(0, 99):03d}",
                None if pick.random() < 0.3 else pick.choice(("fine", "late", "to check")),
            )
            for number in range(count)
        ]


def text_of(value: Any) -> str:
    """The cell of a typed value."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def record(row: Row, delimiter: str = ",", quoted: str | None = None) -> str:
    """The line of a row; cells that need quotes have them, all of them where `quoted` is `all`."""
    cells = []
    for value in row:
        text = text_of(value)
        needs = any(mark in text for mark in (delimiter, '"', "\n", "\r"))
        if needs or (quoted == "all" and value is not None):
            text = '"' + text.replace('"', '""') + '"'
        cells.append(text)
    return delimiter.join(cells)


def join(lines: list[str], end: str = "\n", last: str | None = None) -> bytes:
    return (end.join(lines) + (end if last is None else last)).encode()


def replaced(rows: list[Row], column: str, value: Callable[[int], Any]) -> list[Row]:
    """The rows with another column of this name."""
    at = NAMES.index(column)
    return [(*row[:at], value(number), *row[at + 1 :]) for number, row in enumerate(rows)]


KINDS: dict[str, Callable[[Maker], Unseen]] = {}


def kind(make: Callable[[Maker], Unseen]) -> Callable[[Maker], Unseen]:
    KINDS[make.__name__.strip("_")] = make
    return make


def _lines(rows: list[Row], delimiter: str = ",", quoted: str | None = None) -> list[str]:
    return [record(NAMES, delimiter), *(record(row, delimiter, quoted) for row in rows)]


def _same(
    name: str,
    data: bytes,
    rows: list[Row],
    rejected: int = 0,
    names: tuple[str, ...] | None = NAMES,
    ending: str = "csv",
    **more: Any,
) -> Unseen:
    return Unseen(f"{name}.{ending}" if ending else name, data, name, names, tuple(rows), rejected, **more)


@kind
def plain(m: Maker) -> Unseen:
    rows = m.rows()
    return _same("plain", join(_lines(rows)), rows)


def _add_simple_kinds() -> None:
    """Files that are whole, in other clothes."""
    whole: dict[str, Callable[[list[Row]], bytes]] = {
        "no_last_newline": lambda rows: join(_lines(rows), last=""),
        "extra_newlines": lambda rows: join(_lines(rows), last="\n\n\n\n"),
        "crlf": lambda rows: join(_lines(rows), "\r\n"),
        "lone_cr": lambda rows: join(_lines(rows), "\r"),
        "mixed_ends": lambda rows: "".join(
            line + ("\n", "\r\n")[number % 2] for number, line in enumerate(_lines(rows))
        ).encode(),
        "utf8_mark": lambda rows: b"\xef\xbb\xbf" + join(_lines(rows)),
        "utf16_le_mark": lambda rows: b"\xff\xfe" + join(_lines(rows)).decode().encode("utf-16-le"),
        "utf16_be_mark": lambda rows: b"\xfe\xff" + join(_lines(rows), "\r\n").decode().encode("utf-16-be"),
        "utf16_le_bare": lambda rows: join(_lines(rows)).decode().encode("utf-16-le"),
        "western": lambda rows: join(_lines(rows)).decode().encode("cp1252"),
        "semicolons": lambda rows: join(_lines(rows, ";")),
        "tabs": lambda rows: join(_lines(rows, "\t")),
        "bars": lambda rows: join(_lines(rows, "|")),
        "all_quoted": lambda rows: join(_lines(rows, quoted="all")),
        "blank_lines_inside": lambda rows: join([*_lines(rows)[:7], "", "", *_lines(rows)[7:]]),
        "space_lines_inside": lambda rows: join([*_lines(rows)[:7], "   ", "\t", *_lines(rows)[7:]]),
        "comment_lines": lambda rows: join([*_lines(rows)[:5], "# checked by hand", *_lines(rows)[5:]]),
        "comment_on_top": lambda rows: join(["# exported 2024-05-01", "# by nobody", *_lines(rows)]),
        "title_on_top": lambda rows: join(["Sales of the year", *_lines(rows)]),
        "title_and_blank": lambda rows: join(["Sales of the year", "Confidential", "", *_lines(rows)]),
        "padded_title": lambda rows: join(["Sales of the year,,,,,,,", ",,,,,,,", *_lines(rows)]),
        "separator_line": lambda rows: b"sep=;\n" + join(_lines(rows, ";")),
        "every_row_ends_in_delimiter": lambda rows: join([line + "," for line in _lines(rows)]),
        "header_twice": lambda rows: join([*_lines(rows)[:9], record(NAMES), *_lines(rows)[9:]]),
        "three_header_rows": lambda rows: join(["Sales of the year", "", "all regions", *_lines(rows)]),
    }
    for name, data_of in whole.items():

        def make(m: Maker, name: str = name, data_of: Callable[[list[Row]], bytes] = data_of) -> Unseen:
            rows = m.rows()
            if name == "western":
                rows = replaced(rows, "name", lambda n: ("Zoë Núñez", "Jörg Åkesson", "plain")[n % 3])
            return _same(name, data_of(rows), rows)

        KINDS[name] = make
    endings = {
        "as_txt": "txt",
        "as_dat": "dat",
        "as_nothing": "",
        "as_log": "log",
        "as_tsv_with_commas": "tsv",
        "as_export": "export",
    }
    for name, ending in endings.items():

        def make_named(m: Maker, name: str = name, ending: str = ending) -> Unseen:
            rows = m.rows()
            return _same(name, join(_lines(rows)), rows, ending=ending)

        KINDS[name] = make_named


_add_simple_kinds()


@kind
def empty_file(m: Maker) -> Unseen:
    return _same("empty_file", b"", [], names=None)


@kind
def only_blank(m: Maker) -> Unseen:
    return _same("only_blank", b"\n\n\n", [], names=None)


@kind
def header_only(m: Maker) -> Unseen:
    return _same("header_only", join([record(NAMES)]), [], names=None)  # names alone say nothing about types


@kind
def one_row(m: Maker) -> Unseen:
    rows = m.rows(1)
    return _same("one_row", join(_lines(rows)), rows)


@kind
def one_column(m: Maker) -> Unseen:
    rows = [(number * 7 + 1000,) for number in range(15)]
    return _same("one_column", join(["amount", *(str(row[0]) for row in rows)]), rows, names=("amount",))


@kind
def one_text_column(m: Maker) -> Unseen:
    rows = [(m.chance.choice(FIRST),) for _ in range(15)]
    return _same("one_text_column", join(["who", *(row[0] for row in rows)]), rows, names=("who",))


@kind
def no_header(m: Maker) -> Unseen:
    rows = m.rows()
    names = tuple(f"column_{number}" for number in range(1, 9))
    return _same("no_header", join(_lines(rows)[1:]), rows, names=names)


@kind
def repeated_names(m: Maker) -> Unseen:
    rows = m.rows()
    header = "id,name,name,day,seen,ok,,note"
    names = ("id", "name", "name_2", "day", "seen", "ok", "column_7", "note")
    return _same("repeated_names", join([header, *_lines(rows)[1:]]), rows, names=names)


@kind
def foreign_names(m: Maker) -> Unseen:
    rows = m.rows()
    names = ("Größe", "名前", "Prix €", "jour", "vu à", "да", "κωδικός", "Anmerkung")
    return _same("foreign_names", join([",".join(names), *_lines(rows)[1:]]), rows, names=names)


@kind
def reserved_names(m: Maker) -> Unseen:
    rows = m.rows()
    names = ("x_cf_job_id", *NAMES[1:])
    return _same("reserved_names", join([record(("_cf_job_id", *NAMES[1:])), *_lines(rows)[1:]]), rows, names=names)


@kind
def quoted_names(m: Maker) -> Unseen:
    rows = m.rows()
    names = ("id", "name, full", "price", "day\nlocal", "seen", "ok", 'the "code"', "note")
    return _same("quoted_names", join([record(names), *_lines(rows)[1:]]), rows, names=names)


@kind
def very_wide(m: Maker) -> Unseen:
    names = tuple(f"c{number}" for number in range(1500))
    rows = [tuple(m.chance.randint(0, 999) for _ in names) for _ in range(12)]
    return _same("very_wide", join([record(names), *map(record, rows)]), rows, names=names)


@kind
def very_long_cell(m: Maker) -> Unseen:
    rows = replaced(m.rows(), "note", lambda n: "long words " * 20_000 if n == 4 else "short")
    return _same("very_long_cell", join(_lines(rows)), rows)


@kind
def footer_total(m: Maker) -> Unseen:
    rows = m.rows(30)
    return _same("footer_total", join([*_lines(rows), "", "Total: 30 rows"]), rows, rejected=1)


@kind
def two_tables(m: Maker) -> Unseen:
    rows = m.rows()
    names, more = ("sku", "stock"), [(f"K-{number:04d}", number * 3) for number in range(12)]
    data = join([*_lines(rows), "", record(names), *map(record, more)])
    return _same("two_tables", data, rows, more=(("t2", names, tuple(more)),))


@kind
def extra_delimiter_in_a_row(m: Maker) -> Unseen:
    rows = m.rows()
    lines = _lines(rows)
    lines[9] += ",extra"
    return _same("extra_delimiter_in_a_row", join(lines), rows[:8] + rows[9:], rejected=1)


@kind
def missing_field_in_a_row(m: Maker) -> Unseen:
    rows = m.rows()
    lines = _lines(rows)
    lines[9] = ",".join(lines[9].split(",")[:5])
    return _same("missing_field_in_a_row", join(lines), rows[:8] + rows[9:], rejected=1)


@kind
def other_delimiter_in_a_row(m: Maker) -> Unseen:
    rows = m.rows()
    lines = _lines(rows)
    lines[9] = record(rows[8], ";")
    return _same("other_delimiter_in_a_row", join(lines), rows[:8] + rows[9:], rejected=1)


@kind
def torn_row(m: Maker) -> Unseen:
    rows = m.rows()
    lines = _lines(rows)
    cells = lines[9].split(",")
    lines[9:10] = [",".join(cells[:4]), "," + ",".join(cells[4:])]
    return _same("torn_row", join(lines), rows[:8] + rows[9:], rejected=2)


@kind
def open_quote(m: Maker) -> Unseen:
    rows = m.rows(40)
    lines = _lines(rows)
    cells = lines[9].split(",")
    lines[9] = ",".join([cells[0], '"' + cells[1], *cells[2:]])
    return _same("open_quote", join(lines), rows[:8] + rows[9:], rejected=1)


@kind
def backslash_quotes(m: Maker) -> Unseen:
    rows = replaced(m.rows(), "note", lambda n: f'say "{n}"')
    lines = [record(NAMES)]
    lines += [",".join([*map(text_of, row[:-1]), '"' + row[-1].replace('"', '\\"') + '"']) for row in rows]
    return _same("backslash_quotes", join(lines), rows)


@kind
def doubled_quotes(m: Maker) -> Unseen:
    rows = replaced(m.rows(), "note", lambda n: f'"{n}" is "it"')
    return _same("doubled_quotes", join(_lines(rows)), rows)


@kind
def single_quotes(m: Maker) -> Unseen:
    rows = replaced(replaced(m.rows(), "note", lambda n: f"a, b, {n}"), "name", lambda n: f"n{n}")
    lines = [record(NAMES)]
    lines += [",".join([*map(text_of, row[:-1]), f"'{row[-1]}'"]) for row in rows]
    return _same("single_quotes", join(lines), rows)


@kind
def stray_quote_inside(m: Maker) -> Unseen:
    rows = replaced(m.rows(), "note", lambda n: '5" disk' if n % 4 == 0 else "plain")
    lines = [record(NAMES)] + [",".join(map(text_of, row)) for row in rows]
    return _same("stray_quote_inside", join(lines), rows)


@kind
def newline_in_quotes(m: Maker) -> Unseen:
    rows = replaced(m.rows(), "note", lambda n: f"line one\nline {n}")
    return _same("newline_in_quotes", join(_lines(rows)), rows)


@kind
def delimiter_in_quotes(m: Maker) -> Unseen:
    rows = replaced(m.rows(), "name", lambda n: f"Adams, Ada {n}")
    return _same("delimiter_in_quotes", join(_lines(rows)), rows)


@kind
def spaces_around(m: Maker) -> Unseen:
    rows = replaced(m.rows(), "note", lambda n: f"  kept {n} ")
    return _same("spaces_around", join(_lines(rows)), rows)


@kind
def quoted_empty(m: Maker) -> Unseen:
    rows = replaced(m.rows(), "note", lambda n: "" if n % 2 else None)
    lines = [record(NAMES)] + [record(row[:-1]) + (',""' if row[-1] == "" else ",") for row in rows]
    return _same("quoted_empty", join(lines), rows)


def _cells(name: str, columns: dict[str, Callable[[int], tuple[str, Any]]], count: int = 24) -> None:
    """A file with an id and columns whose cells and values a function gives."""

    def make(m: Maker) -> Unseen:
        names = ("id", *columns)
        pairs = [[value(n) for value in columns.values()] for n in range(count)]
        rows = [(n + 1, *(value for _, value in pair)) for n, pair in enumerate(pairs)]
        lines = [record(names)] + [record((n + 1, *(text for text, _ in pair))) for n, pair in enumerate(pairs)]
        return _same(name, join(lines), rows, names=names)

    KINDS[name] = make


def _text(form: Callable[[int], str]) -> Callable[[int], tuple[str, Any]]:
    return lambda n: (form(n), form(n))


_cells("leading_zeros", {"zip": _text(lambda n: f"{n:05d}")})
_cells("decimal_commas", {"sum": _text(lambda n: f"{n},50")})
_cells("thousands", {"sum": _text(lambda n: f"{n + 1},000")})
_cells("percent", {"share": _text(lambda n: f"{n}%")})
_cells("currency", {"price": _text(lambda n: f"${n}.50"), "euro": _text(lambda n: f"{n} €")})
_cells("null_words", {"state": _text(lambda n: ("NULL", "NA", "\\N", "-", "7")[n % 5])})
_cells("null_words_among_numbers", {"count": _text(lambda n: "NULL" if n == 5 else str(n))})
_cells(
    "huge_numbers",
    {"big": _text(lambda n: str(9_223_372_036_854_775_800 + n)), "edge": lambda n: (str(2**63 - 1 - n), 2**63 - 1 - n)},
)
_cells("negative_edge", {"low": lambda n: (str(-(2**63) + n), -(2**63) + n)})
_cells("scientific", {"x": lambda n: (f"{n}e-3", float(f"{n}e-3"))})
_cells("many_digits", {"x": lambda n: (f"0.1234567890123456789{n % 10}", Decimal(f"0.1234567890123456789{n % 10}"))})
_cells("ambiguous_days", {"day": _text(lambda n: f"0{n % 9 + 1}/0{n % 7 + 1}/2024")})
_cells("settled_days", {"day": lambda n: (f"{n + 5:02d}/03/2024", date(2024, 3, n + 5))})
_cells("mixed_day_forms", {"day": _text(lambda n: "2024-03-05" if n % 2 else "05.03.2024")})
_cells("days_that_are_not", {"day": _text(lambda n: f"2023-02-{n + 20:02d}")})
_cells("clock_times", {"at": lambda n: (f"{n % 24:02d}:15:30", time(n % 24, 15, 30))})
_cells("instants", {"at": lambda n: (f"2024-03-05T10:{n:02d}:00Z", datetime(2024, 3, 5, 10, n))})
_cells("instants_of_zones", {"at": lambda n: (f"2024-03-05T10:{n:02d}:00+02:00", datetime(2024, 3, 5, 8, n))})
_cells(
    "truth_words",
    {
        "yes": lambda n: (("TRUE", "false", "True")[n % 3], n % 3 != 1),
        "bit": lambda n: (str(n % 2), n % 2),
        "word": _text(lambda n: ("yes", "no")[n % 2]),
    },
)
_cells("json_cells", {"data": _text(lambda n: f'{{"a": [1, 2], "b": "x,{n}"}}')})
_cells("not_numbers", {"x": _text(lambda n: ("NaN", "inf", "-inf")[n % 3])})
_cells("plus_and_minus", {"x": lambda n: (str(n * (-1) ** n), n * (-1) ** n)})
_cells("html_cells", {"page": _text(lambda n: f"<b>{n}</b>, <i>so</i>; &amp;")})
_cells("formulas", {"cell": _text(lambda n: f"=SUM(A1:A{n})")})
_cells("control_marks", {"mark": _text(lambda n: f"a\x1bb{n}")})
_cells("emoji", {"face": _text(lambda n: "👩‍🚀" * (n % 3 + 1))})
_cells("web_addresses", {"url": _text(lambda n: f"https://example.org/a?b={n}&c=d;e|f")})
_cells("one_odd_number", {"count": _text(lambda n: "n/a" if n == 20 else str(n))})
_cells("empty_column", {"nothing": lambda n: ("", None), "word": _text(lambda n: f"w{n}")})


@kind
def every_third_line_damaged(m: Maker) -> Unseen:
    rows = m.rows(60)
    lines = _lines(rows)
    kept = []
    for number, row in enumerate(rows):
        if number % 3 == 2:
            lines[number + 1] = ",".join(lines[number + 1].split(",")[: 3 + number % 4])
        else:
            kept.append(row)
    return _same("every_third_line_damaged", join(lines), kept, rejected=20)


@kind
def cut_in_the_middle(m: Maker) -> Unseen:
    rows = m.rows()
    data = join(_lines(rows[:-1])) + record(rows[-1]).encode()[:12]
    return _same("cut_in_the_middle", data, rows[:-1], rejected=1)


@kind
def nul_byte(m: Maker) -> Unseen:
    rows = m.rows()
    lines = _lines(rows)
    lines[9] = lines[9].replace(",", ",\0", 1)
    return _same("nul_byte", join(lines), rows[:8] + rows[9:], rejected=1)


@kind
def bytes_of_another_encoding(m: Maker) -> Unseen:
    rows = replaced(m.rows(40), "name", lambda n: "Zoë")
    lines = [line.encode() for line in _lines(rows)]
    lines[9] = lines[9].replace("ë".encode(), b"\xeb")
    return _same("bytes_of_another_encoding", b"\n".join(lines) + b"\n", rows[:8] + rows[9:], rejected=1)


def make_all(seed: int) -> list[Unseen]:
    """Every kind of file for one seed."""
    return [make(Maker(random.Random(f"{seed} {name}"))) for name, make in KINDS.items()]
